// Command image builds the images of the Dockerfile without a Docker engine and without a registry: static binaries,
// cross-compiled, on a layer with what gcr.io/distroless/static:nonroot has. Each image becomes a tar that docker load,
// kind load image-archive and ctr images import take.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// nonroot is the user of the processes in the images, as distroless has it.
const nonroot = 65532

// image is one of the Dockerfile's targets.
type image struct {
	repository, binary, pkg string
}

// targets are those of the Dockerfile.
const targets = "zim-operator=manager=.,zimsim=zimsim=./hack/zimsim"

// settings are the flags.
type settings struct {
	root, out, version, commit, platforms, images string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	var s settings
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&s.root, "root", ".", "root of the repository")
	flags.StringVar(&s.out, "out", "dist/images", "directory for the tars")
	flags.StringVar(&s.version, "version", "dev", "version that the binaries show, and tag of the images beside latest")
	flags.StringVar(&s.commit, "commit", "unknown", "commit that the binaries show")
	flags.StringVar(&s.platforms, "platforms", "linux/amd64,linux/arm64", "platforms, separated by commas")
	flags.StringVar(&s.images, "images", targets, "images: name=binary=package, separated by commas")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	images, err := s.parseImages()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil { //nolint:gosec // Anyone may read images.
		return err
	}
	base, err := baseLayer()
	if err != nil {
		return fmt.Errorf("making the base layer: %w", err)
	}
	for platform := range strings.SplitSeq(s.platforms, ",") {
		system, architecture, ok := strings.Cut(platform, "/")
		if !ok || system != "linux" {
			return fmt.Errorf("-platforms: want linux/<architecture>, got %q", platform)
		}
		for _, i := range images {
			if err := i.write(s, base, architecture); err != nil {
				return fmt.Errorf("building %s for %s: %w", i.repository, platform, err)
			}
		}
	}
	return nil
}

func (s *settings) parseImages() ([]image, error) {
	var images []image
	for text := range strings.SplitSeq(s.images, ",") {
		parts := strings.Split(text, "=")
		if len(parts) != 3 {
			return nil, fmt.Errorf("-images: want name=binary=package, got %q", text)
		}
		images = append(images, image{repository: parts[0], binary: parts[1], pkg: parts[2]})
	}
	return images, nil
}

// write builds the image for one architecture and writes its tar.
func (i image) write(s settings, base v1.Layer, architecture string) error {
	program, err := i.compile(s, architecture)
	if err != nil {
		return err
	}
	layer, err := layerOf([]file{{path: i.binary, mode: 0o755, data: program}})
	if err != nil {
		return err
	}
	built, err := mutate.AppendLayers(empty.Image, base, layer)
	if err != nil {
		return err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", nonroot, nonroot),
		Entrypoint: []string{"/" + i.binary},
		WorkingDir: "/",
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":    i.repository,
			"org.opencontainers.image.version":  s.version,
			"org.opencontainers.image.revision": s.commit,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	if built, err = mutate.ConfigFile(built, config); err != nil {
		return err
	}
	path := filepath.Join(s.out, fmt.Sprintf("%s-linux-%s.tar", i.repository, architecture))
	if err := writeArchive(path, built, i.repository+":"+s.version, i.repository+":latest"); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s  %s:%s, %s:latest  %.1f MB\n", path, i.repository, s.version, i.repository,
		float64(info.Size())/1e6)
	return err
}

// compile returns the static binary.
func (i image) compile(s settings, architecture string) (program []byte, err error) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, i.binary)
	environment, err := environmentFor(s.root, architecture)
	if err != nil {
		return nil, err
	}
	const version = "github.com/zim-operator/zim-operator/internal/version"
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", //nolint:gosec,noctx // Arguments are the user's.
		"-ldflags", fmt.Sprintf("-s -w -X %s.Version=%s -X %s.Commit=%s", version, s.version, version, s.commit),
		"-o", path, i.pkg)
	build.Dir, build.Stdout, build.Stderr = s.root, os.Stderr, os.Stderr
	build.Env = environment
	if err := build.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // Just built.
}
