package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Lines writes messages as JSON, each a Hook on a line of its own, to where a program's
// output is collected.
type Lines struct {
	name  string
	out   io.Writer
	about about
	// writing has a value while a line is being written: nobody may read at the other end,
	// and a write cannot be called off.
	writing chan struct{}
}

// NewLines returns a sink with this name. Nothing else should write to out: lines would be
// torn.
func NewLines(name string, out io.Writer, cluster, link string) *Lines {
	return &Lines{name: name, out: out, about: about{cluster, link}, writing: make(chan struct{}, 1)}
}

// Name is the name given.
func (l *Lines) Name() string { return l.name }

// Send writes the message. It has arrived if the line was taken as a whole.
func (l *Lines) Send(ctx context.Context, m Message) error {
	line, err := json.Marshal(Hook{Version: 1, Cluster: l.about.cluster, Link: l.about.link, Message: m})
	if err != nil {
		return err
	}
	select {
	case l.writing <- struct{}{}:
	default:
		return errors.New("the line before is not taken yet")
	}
	result := make(chan error, 1)
	go func() {
		_, err := l.out.Write(append(line, '\n'))
		<-l.writing
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("nobody takes the line: %w", ctx.Err())
	}
}
