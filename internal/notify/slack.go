package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Slack delivers to an incoming webhook
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
//
// The webhook's URL is a secret: it is in no error that Send returns.
type Slack struct {
	url       *secret
	client    *http.Client
	about     about
	word      *regexp.Regexp
	fallbacks atomic.Uint64
}

// NewSlack returns a sink that asks url for the webhook before each message, so
// that a rotated secret is taken up. A nil client is one with a timeout of 10 s;
// redirects are never followed. A cluster that is not empty is named in messages, and a
// link goes to where a person finds more.
func NewSlack(url func() (string, error), client *http.Client, cluster, link string) *Slack {
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Slack{url: &secret{read: url}, client: &own, about: about{cluster, link}, word: regexp.MustCompile(`^[a-z0-9_ ]{1,64}$`)}
}

// Name is "slack".
func (s *Slack) Name() string { return "slack" }

// Renewed tells whether the webhook is another one than it was for the last message.
func (s *Slack) Renewed() bool { return s.url.renewed() }

// Fallbacks counts messages whose layout Slack refused, and that were sent as
// plain text instead.
func (s *Slack) Fallbacks() uint64 { return s.fallbacks.Load() }

// Send posts the message. It has arrived if the answer is 200 with the body "ok".
// An answer of 400 means that our payload is at fault: the message is sent again
// at once as plain text. If plain words are refused too, it is not the payload.
func (s *Slack) Send(ctx context.Context, m Message) error {
	target, err := s.url.url("webhook")
	if err != nil {
		return err
	}
	status, err := s.post(ctx, target, layout(m, s.about))
	if status != http.StatusBadRequest {
		return err
	}
	s.fallbacks.Add(1)
	status, plainErr := s.post(ctx, target, payload{Text: plain(m, s.about.cluster)})
	if status == http.StatusBadRequest {
		// A message that Slack never takes must not hold up all that come after it.
		if status, plainErr = s.post(ctx, target, payload{Text: lastWords}); status == http.StatusBadRequest {
			plainErr = &DeadHookError{Reason: plainErr.Error()}
		}
	}
	if plainErr != nil {
		return fmt.Errorf("%w; then as plain text: %w", err, plainErr)
	}
	return nil
}

// lastWords hold nothing that came from elsewhere.
const lastWords = "driftprobe has an incident to tell, and Slack does not accept its text. Look at its status page, or run driftprobe --once."

// maxAnswer bounds what is read of an answer; Slack's are a word or two.
const maxAnswer = 4 << 10

// post returns the status of the answer, 0 if there was none, and an error if
// the payload did not arrive.
func (s *Slack) post(ctx context.Context, target string, p payload) (int, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return 0, fmt.Errorf("encode the message for Slack: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, &body)
	if err != nil {
		return 0, errors.New("the webhook's URL is not a valid https URL")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post to Slack: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, fmt.Errorf("read Slack's answer: %w", withoutURL(err))
	}
	return resp.StatusCode, s.judge(resp, strings.TrimSpace(string(answer)))
}

// judge turns an answer into an error. The body is quoted only if it looks like
// one of Slack's words: a proxy's error page may repeat the URL.
func (s *Slack) judge(resp *http.Response, answer string) error {
	said := strconv.Itoa(resp.StatusCode)
	if s.word.MatchString(answer) {
		said += " " + answer
	}
	err := fmt.Errorf("slack answered %s", said)
	switch code := resp.StatusCode; {
	case code == http.StatusOK && answer == "ok":
		return nil
	case code == http.StatusOK:
		return fmt.Errorf("%w, but not with the body \"ok\"", err)
	case code == http.StatusForbidden, code == http.StatusNotFound, code == http.StatusGone:
		return &DeadHookError{Reason: err.Error()}
	case code == http.StatusTooManyRequests:
		wait, said := retryAfter(resp)
		if !said {
			wait = 30 * time.Second
		}
		return &RetryAfterError{Wait: wait, Err: err}
	case code >= 500:
		return asked(resp, err)
	}
	return err
}

// retryAfter reads the header (RFC 9110 section 10.2.3): seconds, or a date, which counts from
// that of the answer: their clock need not be ours. said is false if it is neither.
func retryAfter(resp *http.Response) (wait time.Duration, said bool) {
	value := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(value); err == nil && n >= 0 {
		return time.Duration(min(n, int(longestAsked/time.Second))) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		now, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(0, min(at.Sub(now), longestAsked)), true
	}
	return 0, false
}

// asked adds to an error when the answer wants us back, if it says so.
func asked(resp *http.Response, err error) error {
	if wait, said := retryAfter(resp); said {
		return &RetryAfterError{Wait: wait, Err: err}
	}
	return err
}

// withoutURL takes off every *url.Error, which prints the URL.
func withoutURL(err error) error {
	for {
		outer, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = outer.Err
	}
}
