package lab

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func post(t *testing.T, url, body string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	noError(t, err)
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	noError(t, err)
	return resp.StatusCode, string(got), resp.Header
}

func TestSlackChecksWhatItIsSent(t *testing.T) {
	s := closing[*Slack](t)(NewSlack())
	section := func(n int) string {
		return fmt.Sprintf(`{"type":"section","text":{"type":"mrkdwn","text":%q}}`, strings.Repeat("é", n))
	}
	header := func(n int) string {
		return fmt.Sprintf(`{"type":"header","text":{"type":"plain_text","text":%q}}`, strings.Repeat("h", n))
	}
	blocks := func(b ...string) string { return `{"text":"t","blocks":[` + strings.Join(b, ",") + `]}` }
	many := func(n int) string {
		return blocks(strings.Split(strings.TrimSuffix(strings.Repeat(`{"type":"divider"};`, n), ";"), ";")...)
	}
	for _, tc := range []struct {
		rule, body, want string
		status           int
	}{
		{"plain text", `{"text":"hello"}`, "ok", 200},
		{"blocks in an attachment", `{"text":"t","attachments":[{"color":"#f00","blocks":[` + section(3000) + `]}]}`, "ok", 200},
		{"not JSON", `{"text":`, "invalid_payload", 400},
		{"text of another type", `{"text":5}`, "invalid_payload", 400},
		{"nothing to show", `{}`, "no_text", 400},
		{"section of 3,000 characters", blocks(section(3000)), "ok", 200},
		{"section of 3,001", blocks(section(3001)), "invalid_blocks", 400},
		{"empty section", blocks(section(0)), "invalid_blocks", 400},
		{"too long in an attachment", `{"attachments":[{"blocks":[` + section(3001) + `]}]}`, "invalid_blocks", 400},
		{"header of 150", blocks(header(150)), "ok", 200},
		{"header of 151", blocks(header(151)), "invalid_blocks", 400},
		{"50 blocks", many(50), "ok", 200},
		{"51 blocks", many(51), "invalid_blocks", 400},
		{"unknown block", blocks(`{"type":"marquee"}`), "invalid_blocks", 400},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			before := s.Messages.Len()
			status, body, _ := post(t, s.URL(), tc.body)
			equal(t, "answer", []any{status, body}, []any{tc.status, tc.want})
			equal(t, "kept", s.Messages.Len() > before, tc.status == 200)
		})
	}
	status, body, _ := post(t, s.URL()+"x", `{"text":"t"}`)
	equal(t, "wrong path", []any{status, body}, []any{404, "no_service"})
}

func TestSlackFailsOnDemandAndWaits(t *testing.T) {
	s := closing[*Slack](t)(NewSlack())
	s.SetFault(HTTPTimes(1, HTTPTooMany(3*time.Second, "rate_limited")))
	status, body, header := post(t, s.URL(), `{"text":"one"}`)
	equal(t, "429", []any{status, body, header.Get("Retry-After")}, []any{429, "rate_limited", "3"})
	_, _, _ = post(t, s.URL(), `{"text":"two"}`)
	messages := must[[]SlackMessage](t)(s.Wait(t.Context(), 1))
	equal(t, "accepted", messages[0].Text, "two")
	equal(t, "received", s.Requests.Len(), 2)

	s.SetFault(HTTPReset)
	if resp, err := http.Post(s.URL(), "application/json", strings.NewReader("{}")); err == nil {
		_ = resp.Body.Close()
		t.Errorf("reset answered %d", resp.StatusCode)
	}
	s.SetFault(HTTPHang)
	before := s.Requests.Len()
	done := make(chan error)
	go func() {
		resp, err := http.Post(s.URL(), "application/json", strings.NewReader("{}"))
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	_, err := s.Requests.Wait(t.Context(), before+1)
	noError(t, err)
	noError(t, s.Stop())
	if <-done == nil {
		t.Errorf("a hanging request was answered")
	}
	noError(t, s.Start())
	s.SetFault(HTTPSlow(time.Millisecond))
	status, _, _ = post(t, s.URL(), `{"text":"late"}`)
	equal(t, "slow but served", status, 200)
}
