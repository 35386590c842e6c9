package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	passwd = "root:x:0:0:root:/root:/sbin/nologin\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n" +
		"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
	group     = "root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n"
	nsswitch  = "hosts: files dns\n"
	osRelease = "PRETTY_NAME=\"zim-operator: static binary, no distribution\"\nID=scratch\n"
)

// file is one entry of a layer; a path that ends in a slash is a directory.
type file struct {
	path  string
	mode  int64
	owner int
	data  []byte
}

// baseLayer holds what a static binary may look for: users, roots of trust, time zones, a place for temporary files.
func baseLayer() (v1.Layer, error) {
	files := []file{
		{path: "etc/passwd", mode: 0o644, data: []byte(passwd)},
		{path: "etc/group", mode: 0o644, data: []byte(group)},
		{path: "etc/nsswitch.conf", mode: 0o644, data: []byte(nsswitch)},
		{path: "etc/os-release", mode: 0o644, data: []byte(osRelease)},
		{path: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots()},
		{path: "home/nonroot/", mode: 0o700, owner: nonroot},
		{path: "root/", mode: 0o700},
		{path: "tmp/", mode: 0o1777},
	}
	zones, err := timeZones()
	if err != nil {
		return nil, err
	}
	return layerOf(append(files, zones...))
}

// roots are the certificate authorities that Mozilla trusts, as the pinned Go module has them.
func roots() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // A file cannot express constraints.
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}

// timeZones are those that Go carries.
func timeZones() ([]file, error) {
	goRoot, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // Ends by itself.
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(goRoot)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	var files []file
	for _, zone := range archive.File {
		if strings.HasSuffix(zone.Name, "/") {
			continue
		}
		reader, err := zone.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		//nolint:gosec // The archive is that of the Go distribution.
		files = append(files, file{path: path.Join("usr/share/zoneinfo", zone.Name), mode: 0o644, data: data})
	}
	return files, nil
}

// layerOf makes a layer that depends on nothing but its files.
func layerOf(files []file) (v1.Layer, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	seen := map[string]bool{}
	for _, f := range files {
		for _, parent := range parents(f.path) {
			if !seen[parent] {
				seen[parent] = true
				if err := add(writer, file{path: parent, mode: 0o755}); err != nil {
					return nil, err
				}
			}
		}
		if err := add(writer, f); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
}

// parents are the directories above a path, outermost first.
func parents(name string) []string {
	var all []string
	for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "."; dir = path.Dir(dir) {
		all = append([]string{dir + "/"}, all...)
	}
	return all
}

func add(writer *tar.Writer, f file) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.data)),
		ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatPAX,
	}
	if strings.HasSuffix(f.path, "/") {
		header.Typeflag, header.Size = tar.TypeDir, 0
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeDir {
		return nil
	}
	_, err := writer.Write(f.data)
	return err
}
