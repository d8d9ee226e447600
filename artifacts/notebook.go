package artifacts

// AsNotebook tells whether a file as it stands in the working tree would ship as a notebook, and takes it as a build
// would: outputs stripped. Errors do not name the file.
func AsNotebook(path string, body []byte) (c Content, is bool, err error) {
	c, err = prepare(path, false, body)
	return c, err == nil && c.Kind == Notebook, err
}
