package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The tests that reliability.md names are there.
func TestPromisesNameTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	reference := regexp.MustCompile("\\]\\((\\.\\./[^)]*_test\\.go)\\): ((?:`[^`]+`(?:, )?)+)")
	for row := range strings.SplitSeq(string(page), "\n") {
		isPromise := strings.HasPrefix(row, "| ") && !strings.HasPrefix(row, "| promise ")
		references := reference.FindAllStringSubmatch(row, -1)
		if isPromise && len(references) == 0 {
			t.Errorf("no test: %s", row)
		}
		for _, match := range references {
			source, err := os.ReadFile(match[1])
			if err != nil {
				t.Error(err)
			}
			for name := range strings.SplitSeq(strings.Trim(match[2], "`"), "`, `") {
				if !hasTest(string(source), name) {
					t.Errorf("%s has no test %q", match[1], name)
				}
			}
		}
	}
}

// hasTest tells whether a file has a test of a name: a function, a spec or container, an entry of a table.
func hasTest(source, name string) bool {
	quoted := regexp.QuoteMeta(name)
	specs := `\b(Describe|Context|When|It|DescribeTable|Entry)\(\s*"` + quoted + `"`
	return regexp.MustCompile(`(?m)^func ` + quoted + `\(|` + specs + `|^\s*"` + quoted + `":`).MatchString(source)
}

func TestOnlyTestsCountAsTests(t *testing.T) {
	for source, want := range map[string]bool{
		"func TestX(t *testing.T) {":       true,
		"func TestXY(t *testing.T) {":      false,
		"// TestX is gone.":                false,
		"\tIt(\"TestX\", func() {":         true,
		"\tEntry(\"TestX\", 1),":           true,
		"\tEntry(\"x\", \"TestX\"),":       false,
		"\t\t\"TestX\": {1},":              true,
		"\tfmt.Println(\"TestX\")":         false,
		"\tIt(\"TestX\"+suffix, func() {":  true,
		"\tDescribeTable(\n\t\t\"TestX\",": true,
	} {
		if got := hasTest(source, "TestX"); got != want {
			t.Errorf("%v for %s", got, source)
		}
	}
}
