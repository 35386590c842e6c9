package argocd_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const (
	pack   = "../../config/argocd"
	group  = pack + "/resource_customizations/zim.zego.im"
	asksAt = "zim.zego.im/reconcile-requested-at"
)

// statuses are those that Argo CD knows and that the scripts give.
var statuses = []string{"Progressing", "Healthy", "Suspended", "Degraded"}

var kinds = []string{"ZimApp", "ZimRoom"}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func TestHealth(t *testing.T) {
	for _, kind := range kinds {
		dir := filepath.Join(group, kind)
		var all struct {
			Tests []struct {
				InputPath    string `json:"inputPath"`
				HealthStatus health `json:"healthStatus"`
			} `json:"tests"`
		}
		read(t, filepath.Join(dir, "health_test.yaml"), &all)
		script := text(t, filepath.Join(dir, "health.lua"))
		var used []string
		for _, tc := range all.Tests {
			used = append(used, filepath.Base(tc.InputPath))
			t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(tc.InputPath), ".yaml"), func(t *testing.T) {
				var object map[string]any
				read(t, filepath.Join(dir, tc.InputPath), &object)
				if diff := cmp.Diff(tc.HealthStatus, healthOf(t, script, object)); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
			})
		}
		files, err := os.ReadDir(filepath.Join(dir, "testdata"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !slices.Contains(used, file.Name()) {
				t.Errorf("%s: no test uses %s", kind, file.Name())
			}
		}
	}
}

func healthOf(t *testing.T, script string, object any) health {
	t.Helper()
	returned, err := run(t, script, object)
	if err != nil {
		t.Fatalf("%v for %v", err, object)
	}
	fields, ok := returned.(map[string]any)
	if !ok {
		t.Fatalf("returned %v", returned)
	}
	status, isText := fields["status"].(string)
	message, isTextToo := fields["message"].(string)
	if !isText || !isTextToo || len(fields) != 2 {
		t.Fatalf("returned %v", fields)
	}
	return health{status, message}
}

// Whatever is in the place of any part of an object, the script answers.
func TestHealthOfBrokenObjects(t *testing.T) {
	for _, kind := range kinds {
		script := text(t, filepath.Join(group, kind, "health.lua"))
		files, err := filepath.Glob(filepath.Join(group, kind, "testdata", "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for i, file := range files {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range 200 {
				var object any
				read(t, file, &object)
				if got := healthOf(t, script, broken(object, random)); !slices.Contains(statuses, got.Status) {
					t.Errorf("%s: %v", file, got)
				}
			}
		}
	}
}

// An object whose status makes no sense is Progressing, not Healthy.
func TestHealthOfSenselessStatus(t *testing.T) {
	for _, kind := range kinds {
		script := text(t, filepath.Join(group, kind, "health.lua"))
		healthy, err := filepath.Glob(filepath.Join(group, kind, "testdata", "healthy_*.yaml"))
		if err != nil || len(healthy) == 0 {
			t.Fatal("no files", err)
		}
		for _, file := range healthy {
			for _, path := range [][]string{
				{"status"}, {"status", "conditions"}, {"status", "observedGeneration"}, {"metadata", "generation"},
			} {
				for _, value := range junk() {
					var object map[string]any
					read(t, file, &object)
					parent := object
					for _, key := range path[:len(path)-1] {
						parent = parent[key].(map[string]any)
					}
					parent[path[len(path)-1]] = value
					if got := healthOf(t, script, object); got.Status != "Progressing" {
						t.Errorf("%s with %v in %v: %v", file, value, path, got)
					}
				}
			}
		}
	}
}

// junk is what may stand where something else is expected.
func junk() []any {
	return []any{nil, true, 7.0, "True", "", []any{}, map[string]any{}, []any{"Ready"}, map[string]any{"type": 1.0}}
}

// broken puts something else in the place of some parts.
func broken(value any, random *rand.Rand) any {
	if random.IntN(12) == 0 {
		return junk()[random.IntN(len(junk()))]
	}
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			value[key] = broken(item, random)
		}
	case []any:
		for i, item := range value {
			value[i] = broken(item, random)
		}
	}
	return value
}

func TestActions(t *testing.T) {
	dir := filepath.Join(group, "ZimRoom", "actions")
	var all struct {
		DiscoveryTests []struct {
			InputPath string `json:"inputPath"`
			Result    []struct {
				Name     string `json:"name"`
				Disabled bool   `json:"disabled"`
			} `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []struct {
			Action             string `json:"action"`
			InputPath          string `json:"inputPath"`
			ExpectedOutputPath string `json:"expectedOutputPath"`
		} `json:"actionTests"`
	}
	read(t, filepath.Join(dir, "action_test.yaml"), &all)
	for _, tc := range all.DiscoveryTests {
		t.Run("discovery/"+filepath.Base(tc.InputPath), func(t *testing.T) {
			var object any
			read(t, filepath.Join(dir, tc.InputPath), &object)
			want := map[string]any{}
			for _, action := range tc.Result {
				want[action.Name] = map[string]any{"disabled": action.Disabled}
			}
			got, err := run(t, text(t, filepath.Join(dir, "discovery.lua")), object)
			if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
				t.Errorf("%v, actions (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, tc := range all.ActionTests {
		t.Run(tc.Action+"/"+filepath.Base(tc.InputPath), func(t *testing.T) {
			var object, want map[string]any
			read(t, filepath.Join(dir, tc.InputPath), &object)
			read(t, filepath.Join(dir, tc.ExpectedOutputPath), &want)
			got, err := run(t, text(t, filepath.Join(dir, tc.Action, "action.lua")), object)
			if err != nil {
				t.Fatal(err)
			}
			annotations := got.(map[string]any)["metadata"].(map[string]any)["annotations"].(map[string]any)
			hasTime(t, annotations[asksAt])
			annotations[asksAt] = want["metadata"].(map[string]any)["annotations"].(map[string]any)[asksAt]
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

// hasTime checks that a text ends with the present time.
func hasTime(t *testing.T, text any) {
	t.Helper()
	told, err := time.Parse("By Argo CD at "+time.RFC3339, fmt.Sprint(text))
	if err != nil || time.Since(told).Abs() > time.Minute {
		t.Errorf("%v is not the present time: %v", text, err)
	}
}

// The patch has the scripts as they are tested here, and both kinds have the same.
func TestPatch(t *testing.T) {
	var patch struct {
		Data map[string]string `json:"data"`
	}
	read(t, filepath.Join(pack, "argocd-cm-patch.yaml"), &patch)
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	const key = "resource.customizations.actions.zim.zego.im_ZimRoom"
	if err := yaml.UnmarshalStrict([]byte(patch.Data[key]), &actions); err != nil {
		t.Fatal(err)
	}
	if len(actions.Definitions) != 1 {
		t.Fatalf("actions: %v", actions.Definitions)
	}
	script := text(t, filepath.Join(group, "ZimRoom", "health.lua"))
	want := map[string]string{
		"app": script, "room": script, "discovery": text(t, filepath.Join(group, "ZimRoom/actions/discovery.lua")),
		"action": text(t, filepath.Join(group, "ZimRoom/actions", actions.Definitions[0].Name, "action.lua")),
	}
	got := map[string]string{
		"app":       patch.Data["resource.customizations.health.zim.zego.im_ZimApp"],
		"room":      patch.Data["resource.customizations.health.zim.zego.im_ZimRoom"],
		"discovery": actions.Discovery, "action": actions.Definitions[0].Action,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scripts (-files +patch):\n%s", diff)
	}
	if script != text(t, filepath.Join(group, "ZimApp", "health.lua")) {
		t.Error("the two health.lua differ")
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// FuzzHealth gives the scripts whatever JSON there is in the place of an object. Argo CD shows what a script fails with
// as Unknown, so none fails; and the status is one that Argo CD knows.
func FuzzHealth(f *testing.F) {
	var scripts []string
	for _, kind := range kinds {
		script, err := os.ReadFile(filepath.Join(group, kind, "health.lua"))
		if err != nil {
			f.Fatal(err)
		}
		scripts = append(scripts, string(script))
		files, err := filepath.Glob(filepath.Join(group, kind, "testdata", "*.yaml"))
		if err != nil || len(files) == 0 {
			f.Fatal("no seeds", err)
		}
		for _, file := range files {
			object, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if object, err = yaml.YAMLToJSON(object); err != nil {
				f.Fatal(err)
			}
			f.Add(object)
		}
	}
	for _, seed := range []string{
		`{}`, `{"metadata":[],"spec":1,"status":{"conditions":[[],1,"",{"type":{},"status":[]}],"observedGeneration":{}}}`,
		`{"metadata":{"generation":1e400},"status":{"conditions":{"1":{"type":"Ready"}},"observedGeneration":-1}}`,
		`{"spec":{"suspend":"true"},"status":{"conditions":[{"type":"Ready","status":"True","message":{}}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var object map[string]any
		if json.Unmarshal(text, &object) != nil {
			return
		}
		for _, script := range scripts {
			if got := healthOf(t, script, object); !slices.Contains(statuses, got.Status) {
				t.Errorf("%v for %s", got, text)
			}
		}
	})
}
