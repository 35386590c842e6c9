package controllers_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// logLine is a row of the table of log lines in docs/operations.md.
type logLine struct {
	level string
	keys  []string
}

// documentedLines returns the table of log lines by message.
func documentedLines() map[string]logLine {
	GinkgoHelper()
	text, err := os.ReadFile("../docs/operations.md")
	Expect(err).NotTo(HaveOccurred())
	_, section, _ := strings.Cut(string(text), "\n## Log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	lines := map[string]logLine{}
	for row := range strings.Lines(section) {
		cells := strings.Split(row, "|")
		if len(cells) < 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		keys := strings.Split(strings.TrimSpace(cells[3]), ", ")
		lines[strings.Trim(cells[1], " `")] = logLine{strings.TrimSpace(cells[2]), keys}
	}
	calls := lines["Got an undocumented code from ZIM"]
	calls.keys = lines["Called ZIM"].keys // "as below"
	lines["Got an undocumented code from ZIM"] = calls
	return lines
}

// linesOfOthers are those of the manager's start, and of the receiver of callbacks.
var linesOfOthers = []string{
	"Started", "Received a callback", "Asking the API server again soon", "Rights are missing in a watched namespace",
	"Could not ask for the rights of the manager's account",
}

var _ = Describe("The log", func() {
	It("has the lines that are documented, each when something happens", func(ctx context.Context) {
		w := newWorld(ctx)
		lines := &loggedLines{levels: map[string]string{}, keys: map[string]map[string]bool{}}
		ctx = ctrl.LoggerInto(ctx, funcr.NewJSON(lines.add, funcr.Options{Verbosity: 1}))
		provokeAll(ctx, w)

		documented := documentedLines()
		for message, line := range documented {
			if line.level == "error" || slices.Contains(linesOfOthers, message) {
				delete(documented, message) // Of a broken API server, and of other packages.
			}
		}
		Expect(slices.Sorted(maps.Keys(lines.levels))).To(Equal(slices.Sorted(maps.Keys(documented))))
		for message, line := range documented {
			Expect(lines.levels).To(HaveKeyWithValue(message, line.level))
			slices.Sort(line.keys)
			Expect(slices.Sorted(maps.Keys(lines.keys[message]))).To(Equal(line.keys), message)
		}
	})

	It("has no line in the code that is not documented", func() {
		var files []string
		for _, pattern := range []string{"*.go", "../*.go", "../internal/*/*.go"} {
			found, err := filepath.Glob(pattern)
			Expect(err).NotTo(HaveOccurred())
			files = append(files, found...)
		}
		written := map[string]bool{}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "zimsim") {
				addMessages(written, file)
			}
		}
		Expect(slices.Sorted(maps.Keys(written))).To(Equal(slices.Sorted(maps.Keys(documentedLines()))))
	})
})

// loggedLines keeps level and keys of what is logged.
type loggedLines struct {
	levels map[string]string
	keys   map[string]map[string]bool
}

func (l *loggedLines) add(line string) {
	defer GinkgoRecover()
	var fields map[string]any
	Expect(json.Unmarshal([]byte(line), &fields)).To(Succeed(), line)
	message, isText := fields["msg"].(string)
	Expect(isText).To(BeTrue(), line)
	l.levels[message] = map[any]string{0.0: "info", 1.0: "detail"}[fields["level"]]
	if l.keys[message] == nil {
		l.keys[message] = map[string]bool{}
	}
	for key := range fields {
		if key != "msg" && key != "level" && key != "logger" {
			l.keys[message][key] = true
		}
	}
}

// provokeAll makes everything happen that is logged.
func provokeAll(ctx context.Context, w *world) {
	GinkgoHelper()
	room := w.applied(ctx)
	seq := func() { Expect(w.simulator.SetAttribute(testAppID, "Room1", "k1", "drift")).To(Succeed()) }
	seq()
	w.verify(ctx, room) // Restored attributes.
	Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
	Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
	w.verify(ctx, room) // Others created it.
	Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
	w.verify(ctx, room) // Created again.
	w.rename(ctx, room) // Replaced.

	w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660399999, Times: 1})
	w.verify(ctx, room) // An undocumented code.

	heir := w.applyYounger(ctx, room)
	w.pass(ctx, heir)
	Expect(apiServer.Delete(ctx, room)).To(Succeed())
	w.pass(ctx, room) // Handed over.
	Expect(apiServer.Delete(ctx, heir)).To(Succeed())
	w.pass(ctx, heir) // Destroyed.

	slow := w.applied(ctx, named("slow"))
	w.editApp(ctx, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 1 })
	w.advance(w.pass(ctx, slow).RequeueAfter)
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond) // Too short for a second turn.
	defer cancel()
	_, err := w.operator.Rooms.Reconcile(short, request(slow.Namespace, slow.Name))
	Expect(err).NotTo(HaveOccurred())

	w.deleteSecret(ctx)
	w.reconcileApp(ctx, w.namespace)
	Expect(apiServer.Delete(ctx, slow)).To(Succeed())
	w.advance(11 * time.Minute)
	w.pass(ctx, slow) // Left behind.
}

// addMessages adds the texts of calls of Info and Error.
func addMessages(messages map[string]bool, file string) {
	GinkgoHelper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	Expect(err).NotTo(HaveOccurred())
	ast.Inspect(parsed, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		at := map[string]int{"Info": 0, "Error": 1}
		if !ok {
			return true
		}
		if i, logs := at[method.Sel.Name]; logs && len(call.Args) > i {
			if literal, ok := call.Args[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				message, err := strconv.Unquote(literal.Value)
				Expect(err).NotTo(HaveOccurred())
				messages[message] = true
			}
		}
		return true
	})
}
