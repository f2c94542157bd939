package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const healthcheckUsage = `Usage: driftprobe healthcheck [URL]

Asks a running driftprobe how it is, for images without a shell. The exit code is 1 when
anything but 2xx comes back, or nothing within three seconds.

  driftprobe healthcheck                                 http://127.0.0.1:9798/-/healthy
  driftprobe healthcheck http://127.0.0.1:9798/-/ready   has it looked at everything once?
`

// healthcheck asks a running driftprobe how it is, for images without a shell. It is 1 when
// anything but 2xx comes back, or nothing within three seconds: Docker knows no other code.
func healthcheck(ctx context.Context, p process, args []string) (int, error) {
	at := "http://127.0.0.1:9798/-/healthy"
	if len(args) == 1 {
		at = args[0]
	}
	if len(args) > 1 {
		return exitUsage, faultf("driftprobe healthcheck [http://HOST:PORT/-/ready]", "healthcheck takes one URL at most")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" {
		return exitUsage, faultf("driftprobe healthcheck [http://HOST:PORT/-/ready]", "healthcheck: %q is no http URL", at)
	}
	// No proxy: it is for the pod or the container beside it.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		fmt.Fprintf(p.stderr, "no answer: %v\n", err)
		return exitFound, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode/100 != 2 {
		fmt.Fprintf(p.stderr, "%s: %q\n", resp.Status, text)
		return exitFound, nil
	}
	fmt.Fprintf(p.stdout, "%s", text)
	return exitClean, nil
}
