// Command tapetum keeps the BGP route reflectors of a Calico cluster right.
package main

import (
	"os"

	"tapetum.dev/tapetum/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
