// Command tapetum keeps the BGP route reflectors of a Calico cluster right.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tapetum.dev/tapetum/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
