package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

const (
	begin = "<!-- begin of what \"make performance\" writes -->\n"
	end   = "<!-- end of what \"make performance\" writes -->"
)

func main() {
	page := flag.String("page", "docs/performance.md", "page to write the tables into")
	from := flag.String("from", "", "read the output of go test -bench from this file instead of running it; - for standard input")
	flag.Parse()
	if err := run(*page, *from); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

func run(page, from string) error {
	output, err := read(from)
	if err != nil {
		return err
	}
	results, err := parse(bytes.NewReader(output))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s has not the two lines %q and %q between which the tables go", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(head+begin+"\n"+machine()+tables(results)+"\n"+end+tail), 0o644)
}

// read runs the benchmarks, showing what they print, or reads what an earlier run
// printed.
func read(from string) ([]byte, error) {
	switch from {
	case "":
	case "-":
		return io.ReadAll(os.Stdin)
	default:
		return os.ReadFile(from)
	}
	var out bytes.Buffer
	for _, args := range [][]string{
		{"test", "-run", "^$", "-bench", "^Benchmark(Event|Proof)$", "-timeout", "30m", "./internal/simulate"},
		{"test", "-run", "^$", "-bench", "^Benchmark(Pass|ControllerMemory)$", "-timeout", "30m", "./internal/controller"},
	} {
		command := exec.Command("go", args...)
		command.Stdout, command.Stderr = io.MultiWriter(&out, os.Stdout), os.Stderr
		if err := command.Run(); err != nil {
			return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
	}
	return out.Bytes(), nil
}

func machine() string {
	return fmt.Sprintf("%d cores (%s), %s, %s.\n\n", runtime.NumCPU(), processor(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
}

// processor is the name that Linux gives it; elsewhere it is not known.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor not known"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor not known"
}
