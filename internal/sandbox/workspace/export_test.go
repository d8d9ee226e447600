package workspace

// Hold sets how many objects a folder may hold.
func (t *Tree) Hold(most int) { t.most = most }
