"""Who carries out the jobs: processes beside the web server, or wherever `lookwho work` runs."""
