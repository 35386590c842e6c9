package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licenseclassifier/v2/assets"
)

func TestLicencesAreReadFromFiles(t *testing.T) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	apache, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file, text string
		want       []string
	}{
		"Apache":            {"LICENSE", string(apache), []string{"Apache-2.0"}},
		"with an ending":    {"license.txt", string(apache), []string{"Apache-2.0"}},
		"COPYING":           {"COPYING", string(apache), []string{"Apache-2.0"}},
		"another file":      {"README", string(apache), nil},
		"words of no avail": {"LICENSE", "Do what you want.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tc.file), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := licencesIn(dir, known)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v (%v)", got, tc.want, err)
			}
		})
	}
}

func TestOnlyKnownLicencesAreTaken(t *testing.T) {
	for name, tc := range map[string]struct {
		licences []string
		want     string
	}{
		"taken":        {[]string{"Apache-2.0", "MIT"}, ""},
		"not taken":    {[]string{"GPL-3.0", "MIT"}, "example.com/m@v1 has the licence GPL-3.0"},
		"none at all":  {nil, "example.com/m@v1 has no licence"},
		"not by parts": {[]string{"MIT-0"}, "MIT-0"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := refusedBy([]module{{path: "example.com/m", version: "v1", licences: tc.licences}})
			if tc.want == "" && len(refused) > 0 {
				t.Error(refused)
			}
			if tc.want != "" && (len(refused) != 1 || !strings.Contains(refused[0].Error(), tc.want)) {
				t.Errorf("got %v, want %s", refused, tc.want)
			}
		})
	}
}

// This needs no more of the modules than a build: `make sbom`, which looks at what was linked, downloads the rest.
func TestEachModuleInTheImagesHasALicenceThatIsTaken(t *testing.T) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	var modules []module
	for name, dir := range modulesInTheImages(t) {
		licences, err := licencesIn(dir, known)
		if err != nil {
			t.Fatal(name, err)
		}
		path, version, _ := strings.Cut(name, "@")
		modules = append(modules, module{path: path, version: version, licences: licences})
	}
	for _, err := range refusedBy(modules) {
		t.Error(err)
	}
}

// modulesInTheImages returns the directories of the modules, by path@version, of which the manager and the simulator have
// packages.
func modulesInTheImages(t *testing.T) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}\t{{.Dir}}{{end}}{{end}}", ".", "./hack/zimsim")
	list.Dir = filepath.Join("..", "..")
	list.Env = append(list.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(output)) {
		if name, dir, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); found {
			dirs[name] = dir
		}
	}
	if len(dirs) < 10 {
		t.Fatalf("the modules are hardly these alone: %v", dirs)
	}
	return dirs
}

func TestTheBillNamesEachModuleWithSumAndLicence(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Path: "example.com/app"}}
	modules := []module{{
		path: "example.com/m", version: "v1.2.3", sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", licences: []string{"MIT"},
	}}
	encode := func() string {
		var out bytes.Buffer
		if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(billOf(info, "v9", modules)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	text := encode()
	for _, part := range []string{
		`"purl": "pkg:golang/example.com/app@v9"`, `"purl": "pkg:golang/example.com/m@v1.2.3"`, `"id": "MIT"`,
		`"purl": "pkg:golang/std@1.26.0"`, `"content": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
	if text != encode() {
		t.Error("the same binary has two bills")
	}
}
