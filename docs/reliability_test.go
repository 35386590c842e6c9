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
				if !strings.Contains(string(source), name) {
					t.Errorf("%s has no %q", match[1], name)
				}
			}
		}
	}
}
