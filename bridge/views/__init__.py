"""What is shown of what was decided and of what stands: values, from which commands and the page print."""
