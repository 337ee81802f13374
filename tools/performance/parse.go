package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// result of one benchmark: its name without "Benchmark" and the number of processors, and its
// figures by unit.
type result struct {
	name    string
	figures map[string]float64
}

// parse reads the lines that go test -bench prints and skips all others.
func parse(r io.Reader) ([]result, error) {
	var out []result
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		one := result{name: strings.TrimPrefix(fields[0], "Benchmark"), figures: map[string]float64{}}
		if at := strings.LastIndexByte(one.name, '-'); at > 0 {
			if _, err := strconv.Atoi(one.name[at+1:]); err == nil {
				one.name = one.name[:at]
			}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is no number", fields[0], fields[i])
			}
			one.figures[fields[i+1]] = value
		}
		out = append(out, one)
	}
	return out, lines.Err()
}
