package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// target is how many times as long a quiet tenant's p99 may be beside a loud one.
const target = 2

// writeReport prints a table, in Markdown so that it can go into a document as it is.
func writeReport(out io.Writer, results []result) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| scenario\t| loud tenant\t| accept p50 / p99 ms\t| received p50 / p99 ms\t| overtaken by p50 / p99\t| late\t| refused\t| loud posts/s\t| loud received/s\t| server\t| own\t| others\t|\n")
	fmt.Fprint(t, "|---\t|---\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|\n")
	for _, r := range results {
		for _, row := range []struct {
			loud string
			f    figures
		}{{"away", r.alone}, {"at work", r.beside}} {
			f := row.f
			fmt.Fprintf(t, "| %s\t| %s\t| %.1f / %.1f\t| %.1f / %.1f\t| %d / %d\t| %d\t| %d\t| %.0f\t| %.0f\t| %.2f\t| %.2f\t| %.2f\t|\n", r.name, row.loud,
				milliseconds(f.accepted, 50), milliseconds(f.accepted, 99), milliseconds(f.received, 50), milliseconds(f.received, 99),
				percentile(f.overtook, 50), percentile(f.overtook, 99), f.late, f.refused,
				float64(f.loudPosts)/f.seconds, float64(f.loudGot)/f.seconds, f.server.Seconds()/f.seconds, f.own.Seconds()/f.seconds, f.others())
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, r := range results {
		accept := milliseconds(r.beside.accepted, 99) / milliseconds(r.alone.accepted, 99)
		receive := milliseconds(r.beside.received, 99) / milliseconds(r.alone.received, 99)
		word := "reached"
		if max(accept, receive) > target {
			word = "missed "
		}
		if _, err := fmt.Fprintf(out, "%s  %s: p99 %.1f times as long until accepted, %.1f until received (target: %d)\n",
			word, r.name, accept, receive, target); err != nil {
			return err
		}
	}
	return nil
}
