package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"
)

// Limits of Slack's Block Kit reference: blocks in a message, characters in a
// section's text and in a header's.
const (
	slackBlocks  = 50
	slackSection = 3000
	slackHeader  = 150
	slackPath    = "/services/T0LAB/B0LAB/labsecretlabsecretlabsec"
)

// SlackMessage is one payload that was accepted.
type SlackMessage struct {
	At   time.Time
	Text string // the top-level text, which a notification shows
	Body []byte // the payload as sent
}

// Slack is an incoming webhook. It answers 200 "ok", 400 "invalid_payload" or
// "invalid_blocks", and 404 "no_service" for another path. Other answers are
// made by SetFault with HTTPTooMany, HTTPStatus and the like.
type Slack struct {
	HTTPPart

	// Messages holds what was accepted; Requests holds everything.
	Messages Log[SlackMessage]
}

// NewSlack starts a webhook on a loopback address.
func NewSlack() (*Slack, error) {
	s := &Slack{}
	s.handler = http.HandlerFunc(s.receive)
	if err := s.startAt(aside()); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is the webhook's, whose path is the secret.
func (s *Slack) URL() string { return "http://" + s.addr.String() + slackPath }

// Wait returns the accepted messages once there are n.
func (s *Slack) Wait(ctx context.Context, n int) ([]SlackMessage, error) {
	messages, err := s.Messages.Wait(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	return messages, nil
}

func (s *Slack) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // in memory already
	if r.URL.Path != slackPath || r.Method != http.MethodPost {
		slackSay(w, http.StatusNotFound, "no_service")
		return
	}
	var p slackPayload
	if json.Unmarshal(body, &p) != nil {
		slackSay(w, http.StatusBadRequest, "invalid_payload")
		return
	}
	if problem := p.problem(); problem != "" {
		slackSay(w, http.StatusBadRequest, problem)
		return
	}
	s.Messages.add(SlackMessage{At: time.Now(), Text: p.Text, Body: body})
	slackSay(w, http.StatusOK, "ok")
}

func slackSay(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may be gone: its affair
}

type slackPayload struct {
	Text        string       `json:"text"`
	Blocks      []slackBlock `json:"blocks"`
	Attachments []struct {
		Text   string       `json:"text"`
		Blocks []slackBlock `json:"blocks"`
	} `json:"attachments"`
}

type slackBlock struct {
	Type   string      `json:"type"`
	Text   *slackText  `json:"text"`
	Fields []slackText `json:"fields"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// problem is Slack's word for what is wrong with a payload, or empty.
func (p slackPayload) problem() string {
	blocks := p.Blocks
	content := p.Text != ""
	for _, a := range p.Attachments {
		blocks = append(blocks, a.Blocks...)
		content = content || a.Text != ""
	}
	if len(p.Blocks) > slackBlocks || len(blocks) > slackBlocks {
		return "invalid_blocks"
	}
	for _, b := range blocks {
		if !b.valid() {
			return "invalid_blocks"
		}
	}
	if !content && len(blocks) == 0 {
		return "no_text"
	}
	return ""
}

func (b slackBlock) valid() bool {
	switch b.Type {
	case "section":
		return (b.Text != nil || len(b.Fields) > 0) && (b.Text == nil || b.Text.fits(slackSection)) && b.fieldsFit()
	case "header":
		return b.Text != nil && b.Text.Type == "plain_text" && b.Text.fits(slackHeader)
	case "divider", "context", "actions", "image", "rich_text", "markdown", "table":
		return true
	}
	return false
}

// fieldsFit: at most 10 fields of 2,000 characters.
func (b slackBlock) fieldsFit() bool {
	for _, f := range b.Fields {
		if !f.fits(2000) {
			return false
		}
	}
	return len(b.Fields) <= 10
}

func (t slackText) fits(limit int) bool {
	n := utf8.RuneCountInString(t.Text)
	return n > 0 && n <= limit && (t.Type == "mrkdwn" || t.Type == "plain_text")
}
