package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"tapetum.dev/tapetum/internal/e2e"
)

// reportVariable names the file for the results as JSON.
const reportVariable = "E2E_REPORT"

// threadsPerStory is how many threads of a story may run Go at once, so that the reader
// of the kernels, which the system prefers, need not wait for other goroutines.
const threadsPerStory = 4

// player plays stories, some at the same time, and keeps what they have measured: whenever
// a scenario ends all that is there is written, so that a run that is broken off, however,
// leaves what it had.
type player struct {
	options  e2e.RunOptions
	keep     bool   // the clusters' files
	document string // "": none

	mu      sync.Mutex
	reports []e2e.Report // by story, in the order that they were given in
}

// all plays the stories; one that fails does not keep the others from going on.
func (p *player) all(ctx context.Context, stories []e2e.Story, jobs int) error {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), threadsPerStory*min(jobs, len(stories))))
	p.options.Jobs = min(jobs, len(stories))
	free := make(chan struct{}, jobs)
	errs := make([]error, len(stories))
	var playing sync.WaitGroup
	for i, story := range stories {
		free <- struct{}{}
		if ctx.Err() != nil {
			errs[i] = fmt.Errorf("%s: %w", story, ctx.Err())
			<-free
			continue
		}
		playing.Go(func() {
			defer func() { <-free }()
			if err := p.one(ctx, i, story); err != nil {
				errs[i] = fmt.Errorf("%s: %w", story, err)
			}
		})
	}
	playing.Wait()
	return errors.Join(errs...)
}

// one plays a story on a cluster of its own.
func (p *player) one(ctx context.Context, i int, story e2e.Story) error {
	o := p.options
	var err error
	if o.Dir, err = os.MkdirTemp("", "e2e"); err != nil {
		return err
	}
	o.Story = story
	var unwritten error
	o.Progress = func(r e2e.Report) { unwritten = p.keepReport(i, r) }
	_, err = e2e.Run(ctx, o)
	err = errors.Join(err, unwritten)
	if p.keep || err != nil {
		fmt.Println("configurations and logs of", story, "are in", o.Dir)
		return err
	}
	return os.RemoveAll(o.Dir)
}

// keepReport takes what a story has measured so far, and writes all there is.
func (p *player) keepReport(i int, r e2e.Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports[i] = r
	report := p.join()
	var errs []error
	if p.document != "" {
		errs = append(errs, report.Write(p.document))
	}
	if path := os.Getenv(reportVariable); path != "" {
		data, err := report.JSON()
		if err == nil {
			err = os.WriteFile(path, data, 0o644) //nolint:gosec // no secret
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *player) joined() e2e.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.join()
}

// join puts the stories' results together. The environment is that of the first that has
// any.
func (p *player) join() e2e.Report {
	var all e2e.Report
	for i := range p.reports {
		if len(all.Results) == 0 {
			all.Environment = p.reports[i].Environment
		}
		all.Results = append(all.Results, p.reports[i].Results...)
	}
	return all
}
