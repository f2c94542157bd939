package dnscheck

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ProberVariable is set in the process that observes for TestHostileNames. It is
// another process than that of the servers, so that its memory is that of the
// observations.
const ProberVariable = "DNSCHECK_PROBER"

// ProberJob is what that process is to do, and ProberReport what came of it; both
// go as JSON through its input and output.
type ProberJob struct {
	Roots   []netip.AddrPort
	Port    uint16
	Timeout time.Duration
	Hosts   []string
}

// ProberReport has the texts in the order of the hosts.
type ProberReport struct {
	Returned int           // observations that came back
	Late     time.Duration // of the last one, after its deadline; negative if before
	Peak     int           // bytes of memory
	Left     string        // the stacks of our goroutines after Close
	Cuts     []string
	Largest  int // bytes of the largest observation, as JSON
}

func prober() {
	var job ProberJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		panic(err)
	}
	r := New(Settings{Roots: job.Roots, Port: job.Port, Timeout: job.Timeout})
	report := ProberReport{Cuts: make([]string, len(job.Hosts)), Late: -job.Timeout}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, host := range job.Hosts {
		all.Go(func() {
			begin := time.Now()
			o := r.Observe(context.Background(), host)
			late := time.Since(begin) - job.Timeout
			text, err := json.Marshal(o)
			if err != nil {
				panic(err)
			}
			mu.Lock()
			defer mu.Unlock()
			report.Returned++
			report.Cuts[i] = o.Cut
			report.Late = max(report.Late, late)
			report.Largest = max(report.Largest, len(text))
		})
	}
	all.Wait()
	r.Close()
	report.Left = ourGoroutines()
	report.Peak = peakMemory()
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		panic(err)
	}
}

// ourGoroutines are the stacks of goroutines in this package, beside the one that
// asks, that wait for something. One that runs has told whoever waited for it that it
// is done, and is about to return: that is seen to the end.
func ourGoroutines() string {
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var ours, wait []string
		for i, stack := range strings.Split(string(stacks), "\n\n") {
			if i == 0 || !strings.Contains(stack, "driftprobe/dnscheck") {
				continue
			}
			ours = append(ours, stack)
			if head, _, _ := strings.Cut(stack, "\n"); !strings.Contains(head, "[runn") {
				wait = append(wait, stack)
			}
		}
		if len(ours) == 0 || len(wait) > 0 {
			return strings.Join(wait, "\n\n")
		}
		runtime.Gosched()
	}
}

// peakMemory is the most that this process had in memory. Where the system does
// not tell, it is what the runtime had reserved, which is more.
func peakMemory() int {
	status, _ := os.ReadFile("/proc/self/status") // empty elsewhere than on Linux
	if _, rest, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
		kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		if err != nil {
			panic(err)
		}
		return kib << 10
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.Sys)
}
