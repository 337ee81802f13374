package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/e2e"
)

// jobsPerCPU: a story waits for most of its time.
const jobsPerCPU = 2

// The main thread stands for the process and must stay in its namespace.
func init() { runtime.LockOSThread() }

func main() {
	if code, done := e2e.Reexec(); done {
		os.Exit(code)
	}
	log.SetLogger(logr.Discard()) // what matters is told by the run itself
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := e2e.RunOptions{Out: os.Stdout}
	o.Group, o.Lag, o.NotReadyAfter = calico.GroupV3, e2e.DefaultLag, 40*time.Second
	flag.IntVar(&o.Nodes, "nodes", 9, "nodes in all")
	flag.IntVar(&o.Blockless, "blockless", 0, "how many of them own no address block")
	flag.IntVar(&o.Zones, "zones", 3, "zones over which they are spread")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of what is left to chance")
	story := flag.String("story", "", fmt.Sprintf("%v or short; all but that when empty", e2e.Stories()))
	flag.StringVar(&o.Controller, "controller", "bin/tapetum", "the tapetum binary")
	flag.DurationVar(&o.Timeout, "timeout", 20*time.Minute, "for each scenario")
	only := flag.String("only", "", "numbers of the story's scenarios to run, separated by commas; all when empty")
	document := flag.String("report", "", "Markdown file into which the table goes, between its marks")
	check := flag.Bool("check", false, "say whether it can be run here, and run nothing")
	list := flag.Bool("list", false, "list the scenarios with their numbers, and run none")
	keep := flag.Bool("keep", false, "keep configurations and logs")
	jobs := flag.Int("jobs", jobsPerCPU*runtime.NumCPU(), "stories at the same time, each with a cluster of its own")
	flag.Parse()

	var err error
	if o.Only, err = numbers(*only); err != nil {
		return err
	}
	stories, err := chosen(*story)
	if err != nil {
		return err
	}
	if *list {
		for _, o.Story = range stories {
			fmt.Printf("Story %s\n", o.Story)
			for i, name := range e2e.Scenarios(o) {
				fmt.Printf("%3d  %s\n", i+1, name)
			}
		}
		return nil
	}
	if err := e2e.Allowed(); err != nil {
		return err
	}
	if o.Birds, _, err = e2e.Birds(); err != nil {
		return err
	}
	if *check {
		return nil
	}
	p := player{options: o, keep: *keep, document: *document, reports: make([]e2e.Report, len(stories))}
	err = p.all(ctx, stories, max(1, *jobs))
	if report := p.joined(); len(report.Results) > 0 {
		fmt.Printf("\n%s\n", report.Markdown())
	}
	return err
}

func chosen(story string) ([]e2e.Story, error) {
	s := e2e.Story(story)
	switch {
	case s == "":
		return e2e.Stories(), nil
	case s == e2e.StoryShort, slices.Contains(e2e.Stories(), s):
		return []e2e.Story{s}, nil
	}
	return nil, fmt.Errorf("-story: there is no %q", story)
}

func numbers(list string) (map[int]bool, error) {
	if list == "" {
		return nil, nil
	}
	out := map[int]bool{}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-only: %q is no number", text)
		}
		out[n] = true
	}
	return out, nil
}
