package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Output is where lines are written: a program's output, which somebody collects. It
// outlives the Lines that write to it.
type Output struct {
	out io.Writer
	// writing has a value while a line is being written: nobody may read at the other end,
	// and a write cannot be called off.
	writing chan struct{}
	// torn: only a part of the last line was taken. It belongs to who is writing.
	torn bool
}

// NewOutput prepares the only Output of out. Nothing else should write there: lines would be
// torn.
func NewOutput(out io.Writer) *Output {
	return &Output{out: out, writing: make(chan struct{}, 1)}
}

// write writes a line, which ends with a line break. It returns when ctx ends, while the
// write may go on.
func (o *Output) write(ctx context.Context, line []byte) error {
	select {
	case o.writing <- struct{}{}:
	default:
		return errors.New("the line before is not taken yet")
	}
	result := make(chan error, 1)
	go func() {
		if o.torn {
			line = append([]byte("\n"), line...)
		}
		n, err := o.out.Write(line)
		if n > 0 {
			o.torn = line[n-1] != '\n'
		}
		<-o.writing
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("nobody takes the line: %w", ctx.Err())
	}
}

// Lines writes messages as JSON, each a Hook on a line of its own.
type Lines struct {
	name  string
	out   *Output
	about about
}

// NewLines returns a sink with this name.
func NewLines(name string, out *Output, cluster, link string) *Lines {
	return &Lines{name: name, out: out, about: about{cluster, link}}
}

// Name is the name given.
func (l *Lines) Name() string { return l.name }

// Send writes the message. It has arrived if the line was taken as a whole.
func (l *Lines) Send(ctx context.Context, m Message) error {
	line, err := json.Marshal(Hook{Version: 1, Cluster: l.about.cluster, Link: l.about.link, Message: m})
	if err != nil {
		return err
	}
	return l.out.write(ctx, append(line, '\n'))
}
