// Command driftprobe watches hostnames from the outside and tells a person on
// call what broke, why, what fixes it and until when clients will suffer.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	// What net/http says in the log of the standard library is made by the peers of
	// probes, as much of it as they like.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once, whatever it still waits for.
	context.AfterFunc(ctx, stop)
	code := run(ctx, process{
		name: calledAs(os.Args[0]),
		env:  os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args[1:])
	stop()
	os.Exit(code)
}

// calledAs is how somebody can call this program again. What "go run" has built is gone
// when it ends.
func calledAs(path string) string {
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/driftprobe"
	}
	return path
}
