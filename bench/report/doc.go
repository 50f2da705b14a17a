package report

import (
	"bytes"
	_ "embed"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

//go:embed performance.md.tmpl
var docText string

var docTemplate = template.Must(template.New("performance.md").Funcs(template.FuncMap{"figure": Figure}).Parse(docText))

type docData struct {
	About       results.About
	Modules     []string // the versions that matter
	Contestants []*contestants.Contestant
	Targets     string
	Met, All    int
	Ours        bool // Coppice took part
	Losses      []string
	Sections    []docSection
	Benchmarks  []*Benchmark
}

type docSection struct {
	*workloads.Workload
	Table string
	Plots []string // paths of pictures
}

// Doc writes the document about performance. files are plots, which lie in the
// directory dir beside it.
func Doc(s *results.Set, bench []*Benchmark, dir string, files []string) ([]byte, error) {
	d := docData{About: s.About, Losses: Losses(s), Benchmarks: bench}
	d.Targets, d.Met, d.All = Targets(s)
	for _, name := range distinct(s.Rows, func(r results.Row) string { return r.Contestant }) {
		c := contestants.Find(name)
		if c == nil {
			c = &contestants.Contestant{Name: name, About: "not known to this program"}
		}
		d.Contestants = append(d.Contestants, c)
		d.Ours = d.Ours || name == us
		what := c.Versioned()
		if version := s.About.Versions[what]; version != "" && !slices.Contains(d.Modules, what+" "+version) {
			d.Modules = append(d.Modules, what+" "+version)
		}
	}
	for _, name := range sections(s) {
		w := workloads.Find(name)
		if w == nil {
			w = &workloads.Workload{Name: name, About: "Not known to this program."}
		}
		section := docSection{Workload: w, Table: Table(s, name)}
		for _, f := range files {
			if strings.HasPrefix(filepath.Base(f), name+"-") {
				section.Plots = append(section.Plots, dir+"/"+filepath.Base(f))
			}
		}
		d.Sections = append(d.Sections, section)
	}
	var b bytes.Buffer
	err := docTemplate.Execute(&b, d)
	return b.Bytes(), err
}
