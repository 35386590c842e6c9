package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// taken are the licences, by their SPDX ids, of modules that may be in a binary of the project.
var taken = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// confidence is how sure the classifier must be.
const confidence = 0.9

// licenceFile matches the names of files that hold licences.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([-._].*)?$`)

// module is one module in a binary.
type module struct {
	path, version, sum string
	licences           []string
}

// modulesOf returns the modules that a binary was linked from, besides the project's own.
func modulesOf(info *debug.BuildInfo) ([]module, error) {
	licences, err := assets.DefaultClassifier()
	if err != nil {
		return nil, fmt.Errorf("loading the licences: %w", err)
	}
	var modules []module
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		dir, err := directoryOf(dependency)
		if err != nil {
			return nil, err
		}
		found, err := licencesIn(dir, licences)
		if err != nil {
			return nil, err
		}
		modules = append(modules, module{dependency.Path, dependency.Version, dependency.Sum, found})
	}
	return modules, nil
}

// directoryOf returns where a module's files are. It downloads them, and checks their sums, if need be.
func directoryOf(dependency *debug.Module) (string, error) {
	name := dependency.Path + "@" + dependency.Version
	var out, complaints bytes.Buffer
	download := exec.CommandContext(context.Background(), //nolint:gosec // The names are those in a binary of ours.
		"go", "mod", "download", "-json", name)
	download.Stdout, download.Stderr = &out, &complaints
	if err := download.Run(); err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", name, err, complaints.String())
	}
	var answer struct{ Dir, Sum string }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return "", fmt.Errorf("downloading %s: %w", name, err)
	}
	if answer.Sum != dependency.Sum {
		return "", fmt.Errorf("%s is not what the binary was built from: sum %s, not %s", name, answer.Sum, dependency.Sum)
	}
	return answer.Dir, nil
}

// licencesIn returns the SPDX ids of the licences at the root of a module, sorted.
func licencesIn(dir string, known *classifier.Classifier) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		if entry.IsDir() || !licenceFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name())) //nolint:gosec // A module's own file.
		if err != nil {
			return nil, err
		}
		for _, match := range known.Match(known.Normalize(text)).Matches {
			if match.MatchType == "License" && match.Confidence >= confidence {
				found = append(found, match.Name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// refusedBy returns what is wrong with the licences.
func refusedBy(modules []module) []error {
	var refused []error
	for _, m := range modules {
		if len(m.licences) == 0 {
			refused = append(refused, fmt.Errorf("%s@%s has no licence that is known", m.path, m.version))
		}
		for _, licence := range m.licences {
			if !slices.Contains(taken, licence) {
				refused = append(refused, fmt.Errorf("%s@%s has the licence %s: the project takes %s", m.path, m.version, licence,
					strings.Join(taken, ", ")))
			}
		}
	}
	return refused
}
