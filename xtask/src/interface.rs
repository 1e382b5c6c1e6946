//! Lists the public items of `agent-core` in `agent-core/interface.txt`, so that a review sees each change of the interface.
//!
//! The list is made from the source, so it needs no nightly compiler. The lint `unreachable_pub` holds in this crate: each item with `pub`
//! is public. The list has no bodies, no values of constants and no private fields; `_` stands for a private field of a tuple.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, TraitItem, Type, Visibility,
};
use xtask::root;

/// The list.
const FILE: &str = "agent-core/interface.txt";

/// Attributes that a user of the item sees.
const SHOWN: [&str; 4] = ["derive", "must_use", "non_exhaustive", "repr"];

/// Writes the list.
pub(crate) fn write() -> anyhow::Result<()> {
    let root = root()?;
    fs::write(root.join(FILE), list(&root)?).with_context(|| format!("cannot write {FILE}"))
}

fn list(root: &Path) -> anyhow::Result<String> {
    let source = root.join("agent-core/src");
    let items = module_file(&source.join("lib.rs"), &source)?;
    let list = formatted(root, &items.to_string())?;
    Ok(format!(
        "// Public items of agent-core, by module. `cargo xtask interface` writes this list.\n\n{list}"
    ))
}

/// Public items of a file; `folder` has the files of its modules.
fn module_file(file: &Path, folder: &Path) -> anyhow::Result<TokenStream> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let file = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
    module(file.items, folder)
}

fn module(items: Vec<Item>, folder: &Path) -> anyhow::Result<TokenStream> {
    let private: HashSet<String> = items.iter().filter_map(private_type).collect();
    let mut public = TokenStream::new();
    for item in items {
        match item {
            Item::Mod(module) if !is_test(&module.attrs) => {
                let folder = folder.join(module.ident.to_string());
                let inner = match module.content {
                    Some((_, items)) => self::module(items, &folder)?,
                    None => module_file(&folder.with_extension("rs"), &folder)?,
                };
                let (visibility, name) = (module.vis, module.ident);
                if !inner.is_empty() {
                    public.extend(quote!(#visibility mod #name { #inner }));
                }
            }
            Item::Impl(item) if !is_test(&item.attrs) => public.extend(implementation(item, &private)),
            item => public.extend(public_item(item)),
        }
    }
    Ok(public)
}

/// Name of a type or trait without `pub`.
fn private_type(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!is_public(visibility)).then(|| name.to_string())
}

/// An item without its body; nothing, if it is private.
fn public_item(item: Item) -> TokenStream {
    match item {
        Item::Const(item) if is_public(&item.vis) => {
            let (visibility, name, of) = (item.vis, item.ident, item.ty);
            quote!(#visibility const #name: #of;)
        }
        Item::Static(item) if is_public(&item.vis) => {
            let (visibility, name, of) = (item.vis, item.ident, item.ty);
            quote!(#visibility static #name: #of;)
        }
        Item::Fn(item) if is_public(&item.vis) => {
            let (attributes, visibility, signature) = (shown(item.attrs), item.vis, item.sig);
            quote!(#(#attributes)* #visibility #signature;)
        }
        Item::Enum(item) if is_public(&item.vis) => enumeration(item),
        Item::Struct(item) if is_public(&item.vis) => structure(item),
        Item::Trait(item) if is_public(&item.vis) => interface(item),
        Item::Type(mut item) if is_public(&item.vis) => {
            item.attrs = shown(item.attrs);
            item.into_token_stream()
        }
        Item::Use(mut item) if is_public(&item.vis) => {
            item.attrs = shown(item.attrs);
            item.into_token_stream()
        }
        _ => TokenStream::new(),
    }
}

fn enumeration(mut item: ItemEnum) -> TokenStream {
    item.attrs = shown(item.attrs);
    for variant in &mut item.variants {
        variant.attrs = Vec::new();
        for field in &mut variant.fields {
            field.attrs = Vec::new();
        }
    }
    item.into_token_stream()
}

fn structure(mut item: ItemStruct) -> TokenStream {
    item.attrs = shown(item.attrs);
    for field in &mut item.fields {
        field.attrs = Vec::new();
    }
    match &mut item.fields {
        Fields::Named(fields) => {
            let all = std::mem::take(&mut fields.named);
            fields.named = all.into_iter().filter(|field| is_public(&field.vis)).collect();
        }
        Fields::Unnamed(fields) => {
            for field in fields.unnamed.iter_mut().filter(|field| !is_public(&field.vis)) {
                (field.vis, field.ty) = (Visibility::Inherited, Type::Verbatim(quote!(_)));
            }
        }
        Fields::Unit => {}
    }
    item.into_token_stream()
}

fn interface(mut item: ItemTrait) -> TokenStream {
    item.attrs = shown(item.attrs);
    for item in &mut item.items {
        match item {
            TraitItem::Fn(item) => {
                item.attrs = shown(std::mem::take(&mut item.attrs));
                (item.default, item.semi_token) = (None, Some(syn::token::Semi::default()));
            }
            TraitItem::Const(item) => (item.attrs, item.default) = (Vec::new(), None),
            TraitItem::Type(item) => item.attrs = Vec::new(),
            _ => {}
        }
    }
    item.into_token_stream()
}

/// Public methods and constants of a type; or the fact that it implements a trait, with the associated types.
fn implementation(item: ItemImpl, private: &HashSet<String>) -> TokenStream {
    let is_private = |name: Option<&syn::PathSegment>| {
        name.is_some_and(|segment| private.contains(&segment.ident.to_string()))
    };
    if matches!(&*item.self_ty, Type::Path(of) if is_private(of.path.segments.last())) {
        return TokenStream::new();
    }
    let has_trait = item.trait_.is_some();
    let of_trait = match &item.trait_ {
        Some((path, _)) if is_private(path.segments.last()) => return TokenStream::new(),
        Some((path, of)) => quote!(#path #of),
        None => TokenStream::new(),
    };
    let mut items = TokenStream::new();
    for item in item.items {
        items.extend(match item {
            ImplItem::Fn(item) if is_public(&item.vis) && !is_test(&item.attrs) => {
                let (attributes, visibility, signature) = (shown(item.attrs), item.vis, item.sig);
                quote!(#(#attributes)* #visibility #signature;)
            }
            ImplItem::Const(item) if is_public(&item.vis) => {
                let (visibility, name, of) = (item.vis, item.ident, item.ty);
                quote!(#visibility const #name: #of;)
            }
            ImplItem::Type(mut item) => {
                item.attrs = Vec::new();
                item.into_token_stream()
            }
            _ => TokenStream::new(),
        });
    }
    if items.is_empty() && !has_trait {
        return items;
    }
    let (generics, of) = (&item.generics, &item.self_ty);
    let (parameters, _, bounds) = generics.split_for_impl();
    quote!(impl #parameters #of_trait #of #bounds { #items })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test")
    })
}

fn shown(attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes
        .into_iter()
        .filter(|attribute| SHOWN.iter().any(|name| attribute.path().is_ident(name)))
        .collect()
}

/// Formats items without bodies, which rustfmt accepts.
fn formatted(root: &Path, items: &str) -> anyhow::Result<String> {
    let mut command = Command::new(Path::new(env!("CARGO")).with_file_name("rustfmt"));
    command.args(["--edition", "2024", "--config-path"]).arg(root).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run rustfmt")?;
    child.stdin.take().context("rustfmt has an input")?.write_all(items.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public_items(text: &str) -> String {
        let items = module(syn::parse_file(text).unwrap().items, Path::new("")).unwrap();
        formatted(&root().unwrap(), &items.to_string()).unwrap()
    }

    #[test]
    fn the_list_is_up_to_date() {
        let root = root().unwrap();
        let listed = fs::read_to_string(root.join(FILE)).unwrap();
        assert!(listed == list(&root).unwrap(), "cargo xtask interface writes {FILE}");
    }

    #[test]
    fn private_items_bodies_and_tests_are_left_out() {
        let text = "//! Head.
            /// Text.
            #[derive(Clone)] #[serde(default)] pub struct Open { pub shown: u8, hidden: u16 }
            pub struct Tuple(pub u8, u16);
            pub(crate) struct Crate(u8);
            struct Closed;
            impl Closed { pub fn unseen(&self) {} }
            impl Clone for Closed { fn clone(&self) -> Self { Self } }
            impl Open { pub const MOST: u8 = 3; pub fn seen(&self) -> u8 { self.shown } fn unseen(&self) {} }
            impl Iterator for Open { type Item = u8; fn next(&mut self) -> Option<u8> { None } }
            pub fn free(number: u8) -> u8 { number }
            pub const LIMIT: u8 = 5;
            mod inner { pub enum Deep { One(u8), Two } const NONE: u8 = 0; }
            mod empty { fn unseen() {} }
            pub trait Able { fn able(&self) -> bool { true } }
            #[cfg(test)] mod tests { pub fn unseen() {} }";
        let expected = "#[derive(Clone)]
pub struct Open {
    pub shown: u8,
}
pub struct Tuple(pub u8, _);
impl Open {
    pub const MOST: u8;
    pub fn seen(&self) -> u8;
}
impl Iterator for Open {
    type Item = u8;
}
pub fn free(number: u8) -> u8;
pub const LIMIT: u8;
mod inner {
    pub enum Deep {
        One(u8),
        Two,
    }
}
pub trait Able {
    fn able(&self) -> bool;
}
";
        assert_eq!(public_items(text), expected);
    }
}
