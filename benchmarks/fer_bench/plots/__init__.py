"""The drawings of the HTML page: SVG made by matplotlib, which comes with the report extra."""
