package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// writeReport prints a table, in Markdown so that it can go into a document as it is, and what became of the targets.
func writeReport(out io.Writer, summary []measurement) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| endpoints\t| load\t| system\t| events/s\t| deliveries/s\t| accept p50 / p99 ms\t| received p50 / p99 ms\t"+
		"| CPU ms/event\t| cores\t| others\t| RSS MiB\t| late\t| refused\t| twice\t|\n")
	fmt.Fprint(t, "|--:\t|---\t|---\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|\n")
	for _, m := range summary {
		fmt.Fprintf(t, "| %d\t| %s\t| %s\t| %.1f\t| %.1f\t| %.1f / %.1f\t| %.1f / %.1f\t| %.2f\t| %.2f\t| %.2f\t| %d\t| %d\t| %d\t| %d\t|\n",
			m.Endpoints, m.Load, m.System, m.EventsPerSecond, m.DeliveriesPerSecond, m.AcceptP50, m.AcceptP99,
			m.ReceivedP50, m.ReceivedP99, m.CPUPerEvent, m.Cores, m.Others, m.RSS>>20, m.Late, m.Refused, m.Duplicates)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, line := range verdicts(summary) {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// verdicts compares what was measured with the targets that Posthorn sets itself.
func verdicts(summary []measurement) []string {
	var lines []string
	verdict := func(reached bool, format string, args ...any) {
		word := "missed "
		if reached {
			word = "reached"
		}
		lines = append(lines, word+"  "+fmt.Sprintf(format, args...))
	}
	for _, target := range []struct {
		endpoints int
		times     float64
	}{{1, 4}, {10, 10}} {
		ratio := func(against system) float64 {
			ours, theirs := find(summary, posthorn, target.endpoints, closedLoop), find(summary, against, target.endpoints, closedLoop)
			if ours == nil || theirs == nil || theirs.DeliveriesPerSecond == 0 {
				return 0
			}
			return ours.DeliveriesPerSecond / theirs.DeliveriesPerSecond
		}
		if r := ratio(naive); r > 0 {
			verdict(r >= target.times, "endpoints %d: %.1f times the deliveries/s of naive (target: %.0f times)", target.endpoints, r, target.times)
		}
		for _, against := range []system{naiveWAL, naiveTuned} {
			if r := ratio(against); r > 0 {
				lines = append(lines, fmt.Sprintf("         endpoints %d: %.1f times those of %s", target.endpoints, r, against))
			}
		}
	}
	if m := find(summary, posthorn, 1, 50); m != nil {
		verdict(m.ReceivedP50 < 15 && m.ReceivedP99 < 60, "endpoints 1, 50 events/s: received after %.1f ms p50, %.1f ms p99 (target: under 15 and 60)",
			m.ReceivedP50, m.ReceivedP99)
	}
	return lines
}

func writeJSON(path string, all []measurement) error {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
