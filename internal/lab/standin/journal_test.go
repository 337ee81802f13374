package standin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "controller.log")
	j := Journal{Path: path}
	if entries, err := j.Read(); err != nil || len(entries) != 0 {
		t.Fatalf("without a log: %v, %v", entries, err)
	}
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"step written","action":"SetRole","object":"Node/a","why":"w","costs":["a"]}` +
		"\npanic: not JSON\n" + `{"msg":"degr`)
	entries, err := j.Read()
	if err != nil || len(entries) != 1 || entries[0].Action != "SetRole" || !cmp.Equal(entries[0].Costs, []string{"a"}) {
		t.Fatalf("read %+v, %v; want the one finished step", entries, err)
	}
	write(`aded","reason":"Contested","message":"who"}` + "\n")
	entries, err = j.Read()
	if err != nil || len(entries) != 1 || entries[0].Message != "degraded" || entries[0].Reason != "Contested" || entries[0].Text != "who" {
		t.Fatalf("read %+v, %v; want the line that was unfinished before", entries, err)
	}
	if tail := j.Tail(2); len(tail) != 2 || !strings.HasPrefix(tail[0], "panic") {
		t.Fatalf("tail %q", tail)
	}
}
