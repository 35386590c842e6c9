package zim

import (
	"bufio"
	"cmp"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// transcribedCodes reads the codes of testdata/codes.txt.
func transcribedCodes(t *testing.T) map[Code]Class {
	t.Helper()
	file, err := os.Open("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	transcribed := map[Code]Class{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		span, class, isCode := strings.Cut(lines.Text(), " ")
		if !isCode || span == "#" {
			continue
		}
		from, to, _ := strings.Cut(span, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.Atoi(cmp.Or(to, from))
		if err != nil {
			t.Fatal(err)
		}
		for code := first; code <= last; code++ {
			if _, twice := transcribed[Code(code)]; twice {
				t.Errorf("%d stands twice in the transcription", code)
			}
			transcribed[Code(code)] = Class(class)
		}
	}
	return transcribed
}

// roomActions are all actions that the client has.
var roomActions = []Action{
	ActionCreateRoom, ActionDestroyRoom, ActionQueryRoomAttribute, ActionModifyRoomAttribute, ActionQueryRoomUserList,
	ActionUserRegister,
}

func TestTableHasExactlyTheDocumentedCodes(t *testing.T) {
	inTable := append(slices.Collect(maps.Keys(codes)), otherCodes...)
	slices.Sort(inTable)
	want := slices.Sorted(maps.Keys(transcribedCodes(t)))
	if diff := gocmp.Diff(want, inTable); diff != "" {
		t.Errorf("codes (-documented +table):\n%s", diff)
	}
}

func TestClassOfEveryDocumentedCode(t *testing.T) {
	successes := map[Action]Code{
		ActionQueryRoomUserList: 660300008,
		ActionUserRegister:      660700002,
		ActionDestroyRoom:       660300001,
	}
	for code, class := range transcribedCodes(t) {
		if !slices.Contains(Classes(), class) {
			t.Errorf("%d: the transcription has the unknown class %q", code, class)
		}
		if !Documented(code) {
			t.Errorf("Documented(%d) = false", code)
		}
		for _, action := range roomActions {
			want := class
			if success, has := successes[action]; has && success == code {
				want = ClassOK
			}
			if got := Classify(action, code); got != want {
				t.Errorf("Classify(%s, %d) = %s, want %s", action, code, got, want)
			}
		}
	}
}

func TestUndocumentedCodeIsTransient(t *testing.T) {
	// Neighbours of documented codes, and what no family has.
	for _, code := range []Code{-1, 4, 8, 100000018, 660300003, 660300009, 660700003, 660600018, 661000002, 999999999} {
		if Documented(code) {
			t.Errorf("Documented(%d) = true", code)
		}
		for _, action := range roomActions {
			if got := Classify(action, code); got != ClassTransient {
				t.Errorf("Classify(%s, %d) = %s, want %s", action, code, got, ClassTransient)
			}
		}
	}
}

func TestMeaningOfCode(t *testing.T) {
	for code, info := range codes {
		if info.meaning == "" || code.String() != info.meaning {
			t.Errorf("Code(%d).String() = %q, want the meaning in the table, which is %q", code, code.String(), info.meaning)
		}
	}
	if got, want := Code(4711).String(), "undocumented code 4711"; got != want {
		t.Errorf("Code(4711).String() = %q, want %q", got, want)
	}
}

func TestEveryClassHasACode(t *testing.T) {
	used := map[Class]bool{}
	for _, class := range transcribedCodes(t) {
		used[class] = true
	}
	if got, want := len(used), len(Classes()); got != want {
		t.Errorf("%d classes are used by documented codes, Classes() has %d", got, want)
	}
}
