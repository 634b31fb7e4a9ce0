// Reads dashboards as strictly as Grafana's published schema allows: an unknown field, one
// of another type and a required one that is missing are complaints. Exit 1 if there is one.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func complaint(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var board dashboard.Dashboard
	// An empty list of errors is not nil there.
	if err := board.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := board.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func main() {
	plugins.RegisterDefaultPlugins()
	bad := 0
	for _, path := range os.Args[1:] {
		if said := complaint(path); said != "" {
			fmt.Printf("%s: %s\n", path, said)
			bad = 1
		}
	}
	os.Exit(bad)
}
