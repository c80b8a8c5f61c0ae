package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// percentiles returns the median and the 99th percentile in milliseconds.
func percentiles(d []time.Duration) (p50, p99 float64) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	at := func(q float64) float64 { return milliseconds(d[max(int(math.Ceil(q*float64(len(d))))-1, 0)]) }
	return at(0.50), at(0.99)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median returns the middle value, or the mean of the two.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// summarise makes one measurement of those of all rounds, with the median of each figure. The order is that of the
// first appearance, sorted by load.
func summarise(all []measurement) []measurement {
	type key struct {
		system    system
		endpoints int
		load      load
	}
	var keys []key
	groups := make(map[key][]measurement)
	for _, m := range all {
		k := key{m.System, m.Endpoints, m.Load}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], m)
	}
	slices.SortStableFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.endpoints, b.endpoints), cmp.Compare(a.load, b.load))
	})
	var summary []measurement
	for _, k := range keys {
		group := groups[k]
		of := func(figure func(measurement) float64) float64 {
			var values []float64
			for _, m := range group {
				values = append(values, figure(m))
			}
			return median(values)
		}
		m := measurement{
			System: k.system, Endpoints: k.endpoints, Load: k.load,
			EventsPerSecond:     of(func(m measurement) float64 { return m.EventsPerSecond }),
			DeliveriesPerSecond: of(func(m measurement) float64 { return m.DeliveriesPerSecond }),
			AcceptP50:           of(func(m measurement) float64 { return m.AcceptP50 }),
			AcceptP99:           of(func(m measurement) float64 { return m.AcceptP99 }),
			ReceivedP50:         of(func(m measurement) float64 { return m.ReceivedP50 }),
			ReceivedP99:         of(func(m measurement) float64 { return m.ReceivedP99 }),
			CPUPerEvent:         of(func(m measurement) float64 { return m.CPUPerEvent }),
			Cores:               of(func(m measurement) float64 { return m.Cores }),
			Others:              of(func(m measurement) float64 { return m.Others }),
			RSS:                 int64(of(func(m measurement) float64 { return float64(m.RSS) })),
		}
		for _, one := range group { // of these, none may be hidden by a median
			m.Events += one.Events
			m.Late += one.Late
			m.Refused = max(m.Refused, one.Refused)
			m.Duplicates = max(m.Duplicates, one.Duplicates)
		}
		summary = append(summary, m)
	}
	return summary
}

// find returns the summary of a case, or nil.
func find(summary []measurement, s system, endpoints int, l load) *measurement {
	i := slices.IndexFunc(summary, func(m measurement) bool {
		return m.System == s && m.Endpoints == endpoints && m.Load == l
	})
	if i < 0 {
		return nil
	}
	return &summary[i]
}
