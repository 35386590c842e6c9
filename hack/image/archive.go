package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeArchive writes what docker load, kind load image-archive and ctr images import take. tarball.MultiWrite would do
// but for the order of the tags, which is another one each time: the same image is to be the same file.
func writeArchive(path string, built v1.Image, tags ...string) error {
	first, err := name.NewTag(tags[0])
	if err != nil {
		return err
	}
	manifest, err := tarball.ComputeManifest(map[name.Reference]v1.Image{first: built})
	if err != nil {
		return err
	}
	manifest[0].RepoTags = tags
	files, err := archived(built, manifest)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, f := range files {
		if err := add(writer, f); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, archive.Bytes(), 0o644) //nolint:gosec // Anyone may read images.
}

// archived are the files of the archive of an image: its config, its layers, and what names them.
func archived(built v1.Image, manifest tarball.Manifest) ([]file, error) {
	config, err := built.RawConfigFile()
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	layers, err := built.Layers()
	if err != nil {
		return nil, err
	}
	files := []file{
		{path: manifest[0].Config, mode: 0o644, data: config},
		{path: "manifest.json", mode: 0o644, data: index},
	}
	for i, layer := range layers {
		compressed, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(compressed)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: manifest[0].Layers[i], mode: 0o644, data: data})
	}
	return files, nil
}
