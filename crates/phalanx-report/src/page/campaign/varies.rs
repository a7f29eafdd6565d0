//! What varies in a campaign, and what is the same everywhere.
use maud::{Markup, html};

use crate::campaign::{Axis, Campaign, Role};
use crate::settings::Setting;

pub(super) fn section(campaign: &Campaign<'_>) -> Markup {
    html! {
        section {
            h2 { "What varies" }
            div.scroll { table.axes {
                thead { tr { th scope="col" { "setting" } th scope="col" { "is" }
                    th scope="col" { "values" } } }
                tbody { @for axis in &campaign.axes { (row(axis)) } }
            } }
            @if !campaign.short.is_empty() {
                p.note { "In labels: "
                    @for (place, (short, long)) in campaign.short.iter().enumerate() {
                        @if place > 0 { "; " } (short) " is " (long)
                    } "." }
            }
            details {
                summary { "The same in all runs: " (campaign.fixed.len()) " settings" }
                dl.settings { @for (key, value) in &campaign.fixed {
                    div { dt { (key) } dd { (value.words()) } }
                } }
            }
        }
    }
}

fn row(axis: &Axis) -> Markup {
    let role = match axis.role {
        Role::Defence => "row",
        Role::Attack => "column",
        Role::Other => "table",
    };
    let word =
        |value: &Option<Setting>| value.as_ref().map_or_else(|| "(not set)".into(), Setting::words);
    let values: Vec<String> = axis.values.iter().map(word).collect();
    html! {
        tr {
            th scope="row" { (axis.key) }
            td { (role) }
            td { (values.join(", "))
                @if !axis.implied.is_empty() {
                    p.note { "and with it " (axis.implied.join(", ")) }
                }
            }
        }
    }
}
