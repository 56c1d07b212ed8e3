package model

// payroll: somebody in the household is paid from public funds as staff (财政供养).
var payroll = Kind{Name: "payroll", Title: Words{"财政供养人员", "On the public payroll"},
	run: func(_ Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			if p.Payroll == Yes {
				w := who(p)
				hits = append(hits, Hit{"payroll/" + p.Role, Words{
					"登记显示" + w.Zh + "是财政供养人员。遇到急难同样可以救助，由监督抽查是否属实。",
					"The register says that " + w.En + " is on the public payroll. Such people may be helped too; supervision looks whether it was so."}})
			}
		}
		return hits
	}}
