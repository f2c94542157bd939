package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Webhook delivers messages as JSON to an address of the operator's own. The body is a
// Hook. With a key, it is signed: the header Driftprobe-Signature is "t=SECONDS,v1=HEX",
// where HEX is the HMAC-SHA256 of "SECONDS.BODY", so that a receiver can refuse what is
// forged or old. Idempotency-Key is the message's key: the same again if a message is sent
// twice.
type Webhook struct {
	name   string
	url    *secret
	key    *secret // nil: none
	client *http.Client
	about  about
}

// about is what a message does not know of itself.
type about struct{ cluster, link string }

// Hook is the body of a webhook's request.
type Hook struct {
	// Version of this format; it changes if a field is removed or changes its meaning.
	Version int    `json:"version"`
	Cluster string `json:"cluster,omitempty"`
	Link    string `json:"link,omitempty"`
	Message
}

// NewWebhook returns a sink that asks for address and key before each message, so that
// rotated ones are taken up. A nil key is none. Both are secrets: they are in no error.
// Redirects are not followed: they would carry the message to a stranger.
func NewWebhook(name string, address, key func() (string, error), client *http.Client, cluster, link string) *Webhook {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w := &Webhook{name: name, url: &secret{read: address}, client: &own, about: about{cluster, link}}
	if key != nil {
		w.key = &secret{read: key}
	}
	return w
}

// Name is the name given.
func (w *Webhook) Name() string { return w.name }

// Renewed tells whether address or key is another one than it was for the last message.
func (w *Webhook) Renewed() bool { return w.url.renewed() || w.key != nil && w.key.renewed() }

// Send posts the message. It has arrived if the answer is 2xx. An answer that says that
// our request is at fault will be the same the next time: the message is given up.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(Hook{Version: 1, Cluster: w.about.cluster, Link: w.about.link, Message: m})
	if err != nil {
		return err
	}
	req, err := w.request(ctx, body)
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", m.Key)
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post to the webhook: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	// The connection is used again if the answer was read.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	return answered(resp)
}

// answered judges an answer by its status alone; the body may repeat the URL.
func answered(resp *http.Response) error {
	err := fmt.Errorf("the webhook answered %d", resp.StatusCode)
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return &GivenUpError{Reason: err.Error()}
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound, code == http.StatusGone:
		return &DeadHookError{Reason: err.Error()}
	}
	return asked(resp, err)
}

func (w *Webhook) request(ctx context.Context, body []byte) (*http.Request, error) {
	target, err := w.url.url("webhook")
	var key string
	if w.key != nil {
		text, unread := w.key.text()
		if unread != nil {
			err = errors.Join(err, fmt.Errorf("read the webhook's key: %w", unread))
		}
		key = text
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the webhook's URL is not a valid https URL")
	}
	req.Header.Set("Content-Type", "application/json")
	if w.key != nil {
		req.Header.Set("Driftprobe-Signature", sign(key, time.Now(), body))
	}
	return req, nil
}

// sign makes the signature of a body at a moment.
func sign(key string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
