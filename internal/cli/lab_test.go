package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/lab"
)

func runLab(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Run(t.Context(), append([]string{"lab"}, args...), strings.NewReader(""), &out, &errOut)
	return code, out.String() + errOut.String()
}

// Wrong use is told before anything is started.
func TestLabFlags(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"up", "--calico-group", "v2"}, "want v1 or v3"},
		{[]string{"demo", "--calico-group", "v2"}, "want v1 or v3"},
		{[]string{"demo", "--nodes", "3", "--dir", filepath.Join(dir, "demo")}, "nodes"},
		{[]string{"walk", "--nodes", "3", "--dir", filepath.Join(dir, "walk")}, "nodes"},
		{[]string{"walk", "--from", "mesh", "--dir", filepath.Join(dir, "walk")}, "both ends"},
		{[]string{"walk", "--from", "Star", "--to", "Mesh", "--dir", filepath.Join(dir, "walk")}, "Star"},
		{[]string{"up", "--racks", "2", "--dir", filepath.Join(dir, "up")}, "racks"},
		{[]string{"up", "--calico-version", "latest", "--dir", filepath.Join(dir, "up")}, "no version of Calico"},
		{[]string{"up", "--dir", ""}, "--dir names no folder"},
		{[]string{"demo", "--timeout", "0s", "--dir", filepath.Join(dir, "demo")}, "--timeout 0s: want something like"},
		{[]string{"demo", "--report", filepath.Join(dir, "none", "demo.json")}, "--report: "},
		{[]string{"walk", "--report", dir}, "--report: "},
		{[]string{"walk", "--nodes", "3", "--report", filepath.Join(dir, "walk.json"), "--dir", filepath.Join(dir, "walk")}, "nodes"},
		{[]string{"nope"}, `unknown command "nope" for "tapetum lab" (tapetum lab --help lists all)`},
		{[]string{"walks"}, `did you mean "walk"?`},
		{[]string{"calico-version"}, "tapetum: lab calico-version: no argument given, want VERSION [NODE...]"},
		{[]string{"storm", "30"}, `tapetum: lab storm: argument "30" given, want PERCENT DURATION (see tapetum lab storm --help)`},
		{[]string{"add", "1", "2"}, "tapetum: lab add: 2 arguments (1 2) given, want N"},
		{[]string{"status", "now"}, `argument "now" given, want none`},
		{[]string{"add", "many"}, "whole number"},
		{[]string{"storm", "x", "3s"}, "whole number"},
		{[]string{"storm", "30", "soon"}, "30s or 2m"},
		{[]string{"stop-api", "0s"}, "30s or 2m"},
		{[]string{"status", "--dir", filepath.Join(dir, "none")}, "no lab runs"},
		{[]string{"kill"}, "no argument given, want NODE..."},
	} {
		code, text := runLab(t, tc.args...)
		if code != exitUnusable || !strings.Contains(text, tc.want) {
			t.Errorf("%v: exit code %d, %q; want %d and %q", tc.args, code, text, exitUnusable, tc.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Processes with other working directories are told of the folder.
func TestLabFolderIsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	code, text := runLab(t, "status", "--dir", "rel")
	if want := filepath.Join(here, "rel"); code != exitUnusable || !strings.Contains(text, want) {
		t.Errorf("exit code %d, %q; want %d and %q", code, text, exitUnusable, want)
	}
}

// A folder with anything else in it is never touched.
func TestLabClaimsOnlyItsOwnFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, text := runLab(t, "up", "--dir", dir)
	if code != exitUnusable || !strings.Contains(text, "no lab's") {
		t.Fatalf("exit code %d, %q; want a refusal", code, text)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "lab")
	for range 2 { // the second time over the remains of the first
		if _, err := lab.Claim(context.Background(), own); err != nil {
			t.Fatal(err)
		}
	}
	release, err := lab.Claim(context.Background(), own)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own); !os.IsNotExist(err) {
		t.Fatalf("the folder is still there: %v", err)
	}
}
