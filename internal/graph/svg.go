package graph

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/plain"
)

// Measures of the picture, in pixels.
const (
	svgMargin    = 24
	svgBlock     = 190 // width of a block
	svgPad       = 16  // inside a zone's box
	svgGap       = 40  // between zones
	svgLine      = 18  // height of a line of text
	svgHead      = 30  // height of a zone's title
	svgRows      = 110 // between the reflectors' row and the clients' row
	svgLabelled  = 24  // up to so many links each carries its number
	svgArc       = 26  // height of the lowest arc between reflectors
	svgArcStep   = 14
	svgMostArcs  = 9
	svgCharacter = 6.6 // mean width of a character at the text's size
)

// svgHalo keeps text readable where lines run behind it.
const svgHalo = `stroke="#f7f8fa" stroke-width="4" stroke-linejoin="round" paint-order="stroke"`

// box is where a block stands.
type box struct {
	block      *Block
	x, y, w, h float64
}

func (b box) middle() float64 { return b.x + b.w/2 }

// picture is a layout: all reflectors in one row, all other nodes in one below.
type picture struct {
	g      *Graph
	boxes  map[string]box
	zones  []box
	titles []string
	w, h   float64
	// top of the zones' boxes.
	top float64
}

// xmlText is text in an XML document.
func xmlText(text string) string { return html.EscapeString(plain.Line(text)) }

// SVG writes the graph as a picture of its own; no other tool is needed.
func (g *Graph) SVG(w io.Writer) error {
	p := g.layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="Helvetica, Arial, sans-serif" font-size="13">`+"\n", p.w, p.h, p.w, p.h)
	fmt.Fprintf(&b, `<title>%s</title>`+"\n"+`<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n", xmlText(g.Title))
	fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="18" font-weight="bold" fill="#1d2939">%s</text>`+"\n", svgMargin, svgMargin+16, xmlText(g.Title))
	for i, note := range g.Notes {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#475467">%s</text>`+"\n", svgMargin, svgMargin+40+i*svgLine, xmlText(note))
	}
	for _, zone := range p.zones {
		fmt.Fprintf(&b, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="10" fill="#f7f8fa" stroke="#98a2b3"/>`+"\n", zone.x, zone.y, zone.w, zone.h)
	}
	p.links(&b)
	for i, zone := range p.zones {
		fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" font-weight="bold" fill="#344054" %s>%s</text>`+"\n", zone.x+svgPad, zone.y+20, svgHalo, xmlText(p.titles[i]))
	}
	for _, id := range p.order() {
		drawBlock(&b, p.boxes[id])
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *picture) order() []string {
	var out []string
	for _, zone := range p.g.Zones {
		for i := range zone.Blocks {
			out = append(out, zone.Blocks[i].ID)
		}
	}
	return out
}

func (g *Graph) layout() *picture {
	p := &picture{g: g, boxes: map[string]box{}}
	upper, lower := 0.0, 0.0
	for _, zone := range g.Zones {
		for i := range zone.Blocks {
			height := blockHeight(&zone.Blocks[i])
			if zone.Blocks[i].Kind == Reflectors {
				upper = max(upper, height)
			} else {
				lower = max(lower, height)
			}
		}
	}
	p.top = float64(svgMargin + 36 + len(g.Notes)*svgLine)
	if arcs := g.arcs(); arcs > 0 {
		p.top += svgArc + float64(min(arcs, svgMostArcs))*svgArcStep
	}
	rows := 0.0
	if upper > 0 && lower > 0 {
		rows = svgRows
	}
	height := svgHead + upper + rows + lower + svgPad
	x := float64(svgMargin)
	for z := range g.Zones {
		width := p.zone(&g.Zones[z], x, p.top+svgHead, p.top+svgHead+upper+rows)
		p.zones = append(p.zones, box{x: x, y: p.top, w: width, h: height})
		p.titles = append(p.titles, g.Zones[z].title())
		x += width + svgGap
	}
	p.w = max(x-svgGap+svgMargin, 60+float64(len(g.Title))*11)
	for _, note := range g.Notes {
		p.w = max(p.w, 2*svgMargin+float64(len(note))*svgCharacter)
	}
	p.h = p.top + height + svgMargin
	return p
}

// zone places the blocks of a zone and returns the width of its box.
func (p *picture) zone(zone *Zone, x, upper, lower float64) float64 {
	counts := [2]int{}
	for i := range zone.Blocks {
		if zone.Blocks[i].Kind == Reflectors {
			counts[0]++
		} else {
			counts[1]++
		}
	}
	columns := max(counts[0], counts[1], 1)
	width := float64(columns*svgBlock + (columns+1)*svgPad)
	width = max(width, float64(len(zone.title()))*svgCharacter*1.15+2*svgPad)
	placed := [2]int{}
	for i := range zone.Blocks {
		block := &zone.Blocks[i]
		row, y := 1, lower
		if block.Kind == Reflectors {
			row, y = 0, upper
		}
		// Each row is centered in the box.
		free := width - float64(counts[row]*svgBlock+(counts[row]-1)*svgPad)
		left := x + free/2 + float64(placed[row]*(svgBlock+svgPad))
		placed[row]++
		p.boxes[block.ID] = box{block: block, x: left, y: y, w: svgBlock, h: blockHeight(block)}
	}
	return width
}

func blockHeight(b *Block) float64 { return float64(len(b.lines())*svgLine + 14) }

// arcs is how many links there are between different blocks of reflectors.
func (g *Graph) arcs() int {
	n := 0
	for _, link := range g.Links {
		if link.Peers && link.From != link.To {
			n++
		}
	}
	return n
}

func drawBlock(b *strings.Builder, at box) {
	color := colors[at.block.Kind]
	fmt.Fprintf(b, `<g><title>%s</title><rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="8" fill="%s" stroke="%s" stroke-width="1.5"/>`,
		xmlText(strings.Join(few(at.block.Names), ", ")), at.x, at.y, at.w, at.h, color.fill, color.line)
	for i, line := range at.block.lines() {
		weight := ""
		if i == 0 {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle" fill="%s"%s>%s</text>`,
			at.middle(), at.y+21+float64(i*svgLine), color.text, weight, xmlText(shorten(line)))
	}
	b.WriteString("</g>\n")
}

// shorten cuts what does not fit on a block: svgBlock has room for 28 characters.
func shorten(text string) string {
	const most = 26
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most/2]) + "…" + string(runes[len(runes)-most/2+1:])
}

// links draws arcs between reflectors above the boxes, and lines between
// reflectors and clients.
func (p *picture) links(b *strings.Builder) {
	arcs, lines := 0, 0
	for _, link := range p.g.Links {
		if !link.Peers {
			lines++
		}
	}
	inner := map[string]int{}
	for _, link := range p.sorted() {
		from, to := p.boxes[link.From], p.boxes[link.To]
		switch {
		case link.Peers && link.From == link.To:
			inner[link.From] = link.Sessions
		case link.Peers:
			p.arc(b, from, to, link.Sessions, min(arcs, svgMostArcs))
			arcs++
		default:
			p.line(b, from, to, link.Sessions, lines <= svgLabelled)
		}
	}
	for _, id := range p.order() {
		if n := inner[id]; n > 0 {
			at := p.boxes[id]
			fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle" font-size="11" fill="#8a5a00" %s>+ %s among themselves</text>`+"\n",
				at.middle(), at.y+at.h+14, svgHalo, xmlText(count(n, "session")))
		}
	}
}

// sorted puts short arcs first, so that they run below the long ones.
func (p *picture) sorted() []Link {
	out := slices.Clone(p.g.Links)
	slices.SortStableFunc(out, func(a, b Link) int { return cmp.Compare(p.span(a), p.span(b)) })
	return out
}

func (p *picture) span(l Link) float64 {
	return math.Abs(p.boxes[l.From].middle() - p.boxes[l.To].middle())
}

func thickness(sessions int) float64 {
	return 1 + min(math.Log10(float64(max(sessions, 1))), 4)*0.6
}

func (p *picture) arc(b *strings.Builder, from, to box, sessions, level int) {
	top := p.top - svgArc - float64(level)*svgArcStep
	fmt.Fprintf(b, `<path d="M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f" fill="none" stroke="#d99000" stroke-width="%.1f"><title>%s</title></path>`+"\n",
		from.middle(), from.y, from.middle(), top, to.middle(), top, to.middle(), to.y, thickness(sessions), xmlText(count(sessions, "session")))
	// A cubic with these control points is highest at three quarters of the way.
	label(b, (from.middle()+to.middle())/2, from.y-(from.y-top)*0.75, sessions)
}

func (p *picture) line(b *strings.Builder, from, to box, sessions int, labeled bool) {
	x1, y1, x2, y2 := from.middle(), from.y+from.h, to.middle(), to.y
	fmt.Fprintf(b, `<path d="M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f" fill="none" stroke="#7b93b5" stroke-width="%.1f" stroke-opacity="0.8"><title>%s</title></path>`+"\n",
		x1, y1, x1, y1+svgRows*0.6, x2, y2-svgRows*0.6, x2, y2, thickness(sessions), xmlText(count(sessions, "session")))
	if labeled {
		// Near the clients' end, where lines from different reflectors are apart.
		x, y := cubic(0.68, x1, x1, x2, x2), cubic(0.68, y1, y1+svgRows*0.6, y2-svgRows*0.6, y2)
		label(b, x, y, sessions)
	}
}

func cubic(t, a, b, c, d float64) float64 {
	u := 1 - t
	return u*u*u*a + 3*u*u*t*b + 3*u*t*t*c + t*t*t*d
}

func label(b *strings.Builder, x, y float64, sessions int) {
	text := thousands(sessions)
	w := float64(len(text))*svgCharacter + 6
	fmt.Fprintf(b, `<rect x="%.0f" y="%.0f" width="%.0f" height="15" rx="4" fill="#ffffff" fill-opacity="0.9"/><text x="%.0f" y="%.0f" text-anchor="middle" font-size="11" fill="#344054">%s</text>`+"\n",
		x-w/2, y-8, w, x, y+4, text)
}
