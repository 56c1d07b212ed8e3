package model

// ended: an allowance goes on although the age is not reached or the place was
// left (违规发放尊老金).
var ended = Kind{Name: "ended", Title: Words{"年龄或居住条件不符仍在领取", "An allowance whose age or residence does not hold"},
	Figures: []Bounds{{"age", 50, 110, "years"}},
	run: func(m Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			for _, s := range p.Schemes {
				w := who(p)
				switch {
				case s.Age > 0 && s.Age < m.figure("age"):
					hits = append(hits, hit("ended/"+p.Role+"/"+s.Name+"/age", w.Zh+"在领取尊老金，但登记年龄不满%d周岁。不影响这次救助，请有关部门核实。",
						"An allowance for the old is being paid to "+w.En+", who is under %d by the register. This aid goes on; whoever pays the allowance should look.", m.figure("age")))
				case s.PlaceEnded == Yes:
					hits = append(hits, Hit{"ended/" + p.Role + "/" + s.Name + "/place", Words{
						w.Zh + "在领取以本地居住为条件的补贴，但登记显示已经迁出或注销。不影响这次救助，请有关部门核实。",
						"A benefit bound to living here is being paid to " + w.En + ", whose registration ended. This aid goes on; whoever pays the benefit should look."}})
				}
			}
		}
		return hits
	}}
