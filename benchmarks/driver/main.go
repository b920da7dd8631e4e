// Driver loads a server or an agent over the standard wire and prints what it saw as one JSON line.
//
// The same program drives finial and SPIRE, so both are measured by the same client. The CPU time of
// the process under load is read by whoever starts this program.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// options are the flags of every measure; a measure reads those it needs.
type options struct {
	serverSocket, serverAddress, trustDomain, workloadSocket string
	agents, count, batch, workers, first                     int
	parent, requests                                         string
	rate                                                     int
	hold                                                     time.Duration
}

// result is what a measure saw; latencies are in milliseconds.
type result struct {
	Operations int       `json:"operations"`
	Seconds    float64   `json:"seconds"`
	P50        float64   `json:"p50_ms,omitempty"`
	P99        float64   `json:"p99_ms,omitempty"`
	Extra      []float64 `json:"extra,omitempty"`
}

var measures = map[string]func(context.Context, options) (result, error){
	"x509":       x509SVIDs,
	"jwt":        jwtSVIDs,
	"status":     statuses,
	"join":       joins,
	"register":   register,
	"poll":       poll,
	"first-svid": firstSVID,
	"cached-jwt": cachedJWT,
	"streams":    streams,
	"propagate":  propagate,
	"authorize":  authorize,
}

func main() {
	var o options
	flag.StringVar(&o.serverSocket, "server-socket", "", "the server's local socket")
	flag.StringVar(&o.serverAddress, "server-address", "", "host:port of the agents' port")
	flag.StringVar(&o.trustDomain, "trust-domain", "example.org", "")
	flag.StringVar(&o.workloadSocket, "workload-socket", "", "the agent's Workload API socket")
	flag.StringVar(&o.parent, "parent", "", "path of the parent of new entries")
	flag.IntVar(&o.agents, "agents", 4, "how many agents call at once")
	flag.IntVar(&o.count, "count", 1000, "how many operations in all")
	flag.IntVar(&o.batch, "batch", 50, "how many items a call")
	flag.IntVar(&o.first, "first", 0, "the number of the first new entry")
	flag.IntVar(&o.workers, "workers", 1, "how many callers at once")
	flag.DurationVar(&o.hold, "hold", 10*time.Second, "how long to stay connected")
	flag.StringVar(&o.requests, "requests", "", "a file of requests, each after its length")
	flag.IntVar(&o.rate, "rate", 0, "how many a second; 0 is as fast as they are answered")
	flag.Parse()
	measure, ok := measures[flag.Arg(0)]
	if !ok {
		fmt.Fprintf(os.Stderr, "no measure %q\n", flag.Arg(0))
		os.Exit(2)
	}
	found, err := measure(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
}

// ready tells the one who started us that the load begins, and waits until it has read the clocks.
func ready() {
	fmt.Println("ready")
	var line string
	_, _ = fmt.Scanln(&line)
}

func summarize(latencies []float64, elapsed time.Duration) result {
	slices.Sort(latencies)
	found := result{Operations: len(latencies), Seconds: elapsed.Seconds()}
	if len(latencies) > 0 {
		found.P50 = latencies[len(latencies)/2]
		found.P99 = latencies[min(len(latencies)-1, len(latencies)*99/100)]
	}
	return found
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }
