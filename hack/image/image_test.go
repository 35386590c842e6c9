package main

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ociname "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// entries are the files of a layer.
func entries(t *testing.T, layer v1.Layer) map[string]*tar.Header {
	t.Helper()
	found, _ := read(t, layer, "")
	return found
}

// read returns the files of a layer, and the text of one.
func read(t *testing.T, layer v1.Layer, name string) (found map[string]*tar.Header, text []byte) {
	t.Helper()
	content, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	found = map[string]*tar.Header{}
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found, text
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header.Name] != nil {
			t.Errorf("%s is there twice", header.Name)
		}
		found[header.Name] = header
		if header.Name == name {
			if text, err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBaseHasWhatDistrolessStaticHas(t *testing.T) {
	base, err := baseLayer()
	if err != nil {
		t.Fatal(err)
	}
	found, certificates := read(t, base, "etc/ssl/certs/ca-certificates.crt")
	for name, mode := range map[string]int64{
		"etc/": 0o755, "etc/passwd": 0o644, "etc/group": 0o644, "tmp/": 0o1777, "usr/share/zoneinfo/UTC": 0o644,
		"usr/share/zoneinfo/Asia/": 0o755, "home/nonroot/": 0o700,
	} {
		if found[name] == nil || found[name].Mode != mode {
			t.Errorf("%s: %+v, want mode %o", name, found[name], mode)
		}
	}
	if home := found["home/nonroot/"]; home.Uid != nonroot || home.Gid != nonroot {
		t.Errorf("home/nonroot belongs to %d:%d", home.Uid, home.Gid)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(certificates) {
		t.Error("no certificate in it")
	}
	if count := strings.Count(string(certificates), "BEGIN CERTIFICATE"); count < 100 {
		t.Errorf("%d certificates", count)
	}
	again, err := baseLayer()
	if err != nil {
		t.Fatal(err)
	}
	first, err := base.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := again.Digest(); err != nil || first != second {
		t.Errorf("made twice, %s and %s: %v", first, second, err)
	}
}

func TestImagesForTwoArchitectures(t *testing.T) {
	out := t.TempDir()
	err := run([]string{
		"-root", ".", "-out", out, "-version", "v1", "-commit", "abc", "-images", "tiny=tiny=./testdata/tiny",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		path := filepath.Join(out, "tiny-linux-"+architecture+".tar")
		var built v1.Image
		for _, version := range []string{"latest", "v1"} {
			tag, err := ociname.NewTag("tiny:" + version)
			if err != nil {
				t.Fatal(err)
			}
			if built, err = tarball.ImageFromPath(path, &tag); err != nil {
				t.Fatal(err)
			}
		}
		config, err := built.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != architecture || config.OS != "linux" || config.Config.User != "65532:65532" ||
			config.Config.Entrypoint[0] != "/tiny" || config.Config.Labels["org.opencontainers.image.version"] != "v1" {
			t.Errorf("%s: %+v", architecture, config)
		}
		layers, err := built.Layers()
		if err != nil {
			t.Fatal(err)
		}
		if program := entries(t, layers[len(layers)-1])["tiny"]; program == nil || program.Mode != 0o755 {
			t.Errorf("%s: no program: %+v", architecture, program)
		}
	}
}

func TestAnArchiveIsTheSameEachTime(t *testing.T) {
	archives := map[string]bool{}
	for range 20 {
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := writeArchive(path, empty.Image, "tiny:v1", "tiny:latest", "tiny:third"); err != nil {
			t.Fatal(err)
		}
		archive, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		archives[string(archive)] = true
	}
	if len(archives) != 1 {
		t.Errorf("%d archives of one image", len(archives))
	}
}

func TestRefusals(t *testing.T) {
	for _, arguments := range [][]string{
		{"-platforms", "windows/amd64"}, {"-platforms", "linux"}, {"-images", "tiny"}, {"-nosuch"}, {"-version", "a b"},
	} {
		all := append([]string{"-out", t.TempDir(), "-images", "tiny=tiny=./testdata/tiny"}, arguments...)
		if err := run(all); err == nil {
			t.Errorf("%v: accepted", arguments)
		}
	}
}
