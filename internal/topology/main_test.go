package topology_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain gives the property tests a fixed seed, so that the same commit always
// gives the same result. -rapid.seed=N takes another, -rapid.checks=N looks deeper.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed != nil && seed.Value.String() == "0" {
		if err := seed.Value.Set("1"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
