package report

import (
	"io"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/snapshot"
)

// Addresses writes what was met at each address of each target, host by host: the
// verdict of the Report, what answered, how long each phase took, and until when the
// certificate lasts. Nothing is written if the snapshot has no targets.
func Addresses(w io.Writer, r finding.Report, s snapshot.Snapshot, o Options) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	l := look(r, s, anyHost)
	t := text{page: page{width: max(o.Width, minWidth)}, report: r, o: o}
	var all []matrix
	for _, host := range hostsOf(s) {
		all = append(all, l.matrices(host)...)
	}
	if !slices.ContainsFunc(all, func(m matrix) bool { return len(m.rows) > 0 }) {
		return nil
	}
	g := newGrid(all, t.width)
	t.line("addresses, times in ms")
	t.line(g.head())
	for _, m := range all {
		t.matrix(m, g)
	}
	return write(w, t.String())
}

// headings stand above the cells of rows.
func headings() [cells]string {
	return [cells]string{"answer", "TCP", "TLS", "first", "rest", "cert. until"}
}

// grid holds the widths of the columns, which are the same for all targets, so that they
// can be compared. An address that is too long for its column stands on a line of its
// own, and the rest of its row below.
type grid struct {
	mark, address int
	cells         [cells]int
}

const (
	gridIndent = 2
	gridGap    = 2
	// leastAddress is the narrowest column of addresses; with less room every address
	// stands on a line of its own.
	leastAddress = 12
)

func newGrid(all []matrix, width int) grid {
	g := grid{mark: 2, address: len("address")}
	for i, h := range headings() {
		g.cells[i] = columns(h)
	}
	for _, m := range all {
		for _, r := range m.rows {
			g.mark = max(g.mark, columns(r.mark.word))
			g.address = max(g.address, columns(r.address))
			for i, c := range r.cells {
				g.cells[i] = max(g.cells[i], columns(Safe(c)))
			}
		}
	}
	room := width - gridIndent - g.mark - gridGap - gridGap
	for i, c := range g.cells {
		room -= c
		if i > 0 {
			room -= gridGap
		}
	}
	if g.address > room {
		g.address = room
	}
	if g.address < leastAddress {
		g.address = 0
	}
	return g
}

// start is the column of the first cell.
func (g grid) start() int {
	if g.address == 0 {
		return 2 * gridIndent
	}
	return gridIndent + g.mark + gridGap + g.address + gridGap
}

func (g grid) head() string {
	h := headings()
	line := spaces(gridIndent + g.mark + gridGap)
	if g.address == 0 {
		return spaces(g.start()) + g.line(h)
	}
	return line + pad("address", g.address) + spaces(gridGap) + g.line(h)
}

// line writes cells; numbers stand at the right of their columns.
func (g grid) line(values [cells]string) string {
	var b strings.Builder
	for i, v := range values {
		v = Safe(v)
		if i > 0 {
			b.WriteString(spaces(gridGap))
		}
		if isTime(i) {
			v = spaces(g.cells[i]-columns(v)) + v
		}
		b.WriteString(pad(v, g.cells[i]))
	}
	return b.String()
}

// matrix writes one target.
func (t *text) matrix(m matrix, g grid) {
	t.hang(Safe(m.url)+"  ", strings.Join(safe(m.about), "; "), gridIndent)
	under := gridIndent + g.mark + gridGap
	for _, r := range m.rows {
		address, cells := Safe(r.address), g.line(r.cells)
		lead := spaces(gridIndent) + t.colored(r.mark.word) + spaces(under-gridIndent-columns(r.mark.word))
		switch {
		case columns(address) <= g.address:
			t.line(lead + pad(address, g.address) + spaces(gridGap) + cells)
		case strings.TrimSpace(cells) == "":
			t.line(lead + address)
		default:
			t.line(lead + address)
			t.line(spaces(g.start()) + cells)
		}
		if len(r.notes) > 0 {
			t.hang(spaces(under), strings.Join(safe(r.notes), "; "), under+2)
		}
	}
	if m.more > 0 {
		t.line(spaces(under) + further(m.more, "address", "addresses"))
	}
}
