package model

import "slices"

// assets: somebody draws minimum support and owns what its recipients usually do
// not (有车有房仍领). Emergency aid is never held for it.
var assets = Kind{Name: "assets", Title: Words{"领低保特困仍有车有房", "Minimum support and a car, a second home or a company"},
	Lists: []Choice{{"schemes", Schemes(), false}, {"things", Assets(), false}},
	run: func(m Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			i := slices.IndexFunc(p.Schemes, m.names)
			if i < 0 {
				continue
			}
			for _, thing := range p.Owns {
				if !slices.Contains(m.Lists["things"], thing) {
					continue
				}
				w, scheme, owned := who(p), p.Schemes[i].Name, assetNames[thing]
				hits = append(hits, Hit{"assets/" + p.Role + "/" + thing, Words{
					w.Zh + "在领" + schemeNames[scheme] + "，登记显示其名下有" + owned.Zh + "。先救急，不影响这次救助；请低保、特困复核时核实。",
					"Draws " + scheme + ": " + w.En + ", who by the register owns " + owned.En + ". Help comes first and this aid goes on; the review of that benefit should look."}})
			}
		}
		return hits
	}}

// assetNames are the things of Assets in words.
var assetNames = map[string]Words{Car: {"小汽车", "a car"}, SecondHome: {"两处以上房产", "more than one home"}, Company: {"公司", "a company"}}

// names reports whether s is one of the model's schemes.
func (m Model) names(s Scheme) bool { return slices.Contains(m.Lists["schemes"], s.Name) }
