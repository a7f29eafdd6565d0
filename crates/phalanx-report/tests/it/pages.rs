//! Pages and figures.
use crate::sample::Sample;
use phalanx_report::write_report;

#[test]
fn the_quickstart_sample_becomes_a_page() {
    let folder = Sample::quickstart().write("quickstart");
    let page = write_report(&folder).unwrap();
    assert!(page.is_file());
}
