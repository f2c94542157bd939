package notify_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var pictures = flag.String("pictures", "", "write the messages of testdata as HTML pages into this folder")

// What Slack makes of a message, near enough to see whether it reads well on a phone. The
// pictures of docs/alerting.md are these pages, at a width of 390 pixels.
func TestPictures(t *testing.T) {
	folder := *pictures
	if folder == "" {
		folder = t.TempDir()
	}
	for _, name := range []string{"firing", "drained", "hostile"} {
		body, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		page := drawn(t, body)
		if strings.Count(page, "<!") != 1 || strings.Contains(page, "<a ") {
			t.Errorf("%s has more than its text:\n%s", name, page)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".html"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func drawn(t *testing.T, body []byte) string {
	t.Helper()
	type text struct{ Text string }
	var p struct {
		Text        string
		Attachments []struct {
			Color  string
			Blocks []struct {
				Text     text
				Elements []text
			}
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><meta charset="utf-8"><style>
body{font:15px/1.45 "DejaVu Sans",sans-serif;margin:12px;width:366px;color:#1d1c1d}
.bar{border-left:4px solid;border-radius:2px;padding-left:10px;margin-top:6px} .bar>div{color:#1d1c1d;margin-bottom:8px}
.context{font-size:12.5px;color:#616061!important} code{font-size:12.5px;background:#f4f4f4;border:1px solid #ddd;border-radius:3px;color:#c01343;padding:1px 3px}
</style><b>driftprobe</b> <small style="color:#616061">APP 11:47</small><br>`)
	b.WriteString(marked(p.Text))
	for _, a := range p.Attachments {
		fmt.Fprintf(&b, `<div class="bar" style="border-color:%s">`, a.Color)
		for _, block := range a.Blocks {
			if block.Text.Text != "" {
				b.WriteString("<div>" + marked(block.Text.Text) + "</div>")
			}
			for _, e := range block.Elements {
				b.WriteString(`<div class="context">` + marked(e.Text) + "</div>")
			}
		}
		b.WriteString("</div>")
	}
	return b.String()
}

// marked draws Slack's marks: *bold*, `code` and line breaks. &, < and > come escaped.
func marked(text string) string {
	text = html.EscapeString(html.UnescapeString(text))
	text = regexp.MustCompile("`([^`\n]+)`").ReplaceAllString(text, "<code>$1</code>")
	text = regexp.MustCompile(`(?m)(^|\s)\*([^*\n]+)\*`).ReplaceAllString(text, "$1<b>$2</b>")
	return strings.ReplaceAll(text, "\n", "<br>")
}
