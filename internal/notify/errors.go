package notify

import (
	"errors"
	"fmt"
	"time"
)

// RetryAfterError is returned by a Sink that was told when to come back.
type RetryAfterError struct {
	Wait time.Duration
	Err  error
}

// Error names the reason and the wait.
func (e *RetryAfterError) Error() string {
	return fmt.Sprintf("%v (asked to wait %s)", e.Err, e.Wait)
}

// Unwrap returns the reason.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// DeadHookError is returned by a Sink whose address will not work again until
// somebody mends it: revoked, removed, its channel archived. Messages are kept,
// and tried rarely.
type DeadHookError struct{ Reason string }

// Error names the reason.
func (e *DeadHookError) Error() string {
	return "the webhook does not work any more: " + e.Reason
}

// GivenUpError is returned by a Sink that does not want the message tried again: what
// it would need is not there, or the receiver refuses it.
type GivenUpError struct {
	Reason string
	// Logged: the Sink has said so, and will not for each message.
	Logged bool
}

// Error names the reason.
func (e *GivenUpError) Error() string { return "given up: " + e.Reason }

// NotYetError is returned by a Sink that has to learn something before it can send. That is
// no failure, and is soon over: it is asked again after soonWait, and nothing is counted.
type NotYetError struct{ Reason string }

// Error names the reason.
func (e *NotYetError) Error() string { return "not yet: " + e.Reason }

const (
	// soonWait is between two attempts while a Sink is not ready.
	soonWait    = 2 * time.Second
	firstWait   = time.Second
	longestWait = 5 * time.Minute
	deadWait    = 5 * time.Minute
	// longestAsked bounds what a server may ask for.
	longestAsked = time.Hour
)

// wait is how long to wait after the nth failure in a row (n from 1). random, in
// [0, 1), spreads several senders.
func wait(n int, err error, random float64) time.Duration {
	back := longestWait
	if n < 20 {
		back = min(longestWait, firstWait<<(n-1))
	}
	back = back/2 + time.Duration(random*float64(back/2))
	if asked, ok := errors.AsType[*RetryAfterError](err); ok {
		return max(back, min(asked.Wait, longestAsked))
	}
	if _, ok := errors.AsType[*DeadHookError](err); ok {
		return deadWait + time.Duration(random*float64(time.Minute))
	}
	return back
}
