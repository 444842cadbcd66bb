//! Whatever a line says: what we write is read again, and what others write does no harm.

use goop2_proto::{
    SitePath, avatar, content,
    data::{self, ColumnDef, Extra, Request},
    path::Platform,
    site::{self, Header},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Whole numbers are written as integers, so they come back as such.
        any::<f64>()
            .prop_filter("finite, not whole", |n| n.is_finite() && n.fract() != 0.0)
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let object = || {
        proptest::collection::vec((any::<String>(), any_json()), 0..4)
            .prop_map(|m| m.into_iter().collect::<Map<_, _>>())
    };
    let def = || {
        (
            any::<String>(),
            any::<String>(),
            any::<bool>(),
            any::<String>(),
        )
            .prop_map(|(name, type_, not_null, default)| ColumnDef {
                name,
                type_,
                not_null,
                default,
            })
    };
    let texts = proptest::collection::vec(any::<String>(), 7);
    let lists = (
        proptest::collection::vec(any_json(), 0..4),
        proptest::collection::vec(any::<String>(), 0..4),
        proptest::collection::vec(def(), 0..3),
        proptest::option::of(def()),
    );
    let extra = proptest::option::of((any::<bool>(), "([A-Za-z0-9_-]{16,64})?"));
    (texts, object(), object(), any::<[i64; 3]>(), lists, extra).prop_map(
        |(texts, data, params, [id, limit, offset], lists, extra)| {
            let [op, table, name, where_, old_name, new_name, function] = texts.try_into().unwrap();
            let (args, columns, column_defs, column) = lists;
            Request {
                op,
                table,
                name,
                data,
                id,
                where_,
                args,
                columns,
                column_defs,
                column,
                limit,
                offset,
                old_name,
                new_name,
                function,
                params,
                extra: extra.map(|(blobs, write)| Extra { blobs, write }),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_data_request_comes_back_as_it_was(request in any_request()) {
        let line = request.encode();
        prop_assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        prop_assert_eq!(Request::decode(&line), Ok(request));
    }

    #[test]
    fn an_answer_comes_back_as_it_was(data in proptest::option::of(any_json()), error in any::<Option<String>>()) {
        let answer = error.map_or(Ok(data), Err);
        prop_assert_eq!(data::decode_answer(&data::encode_answer(&answer)), Ok(answer));
    }

    #[test]
    fn a_header_comes_back_as_it_was(mime in "[!-~]([ -~]{0,60}[!-~])?", len: u64, error in "([!-~]([ -~ü]{0,60}[!-~])?)?") {
        for header in [Header::Ok { mime, len }, Header::Err(error)] {
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_site_request_comes_back_as_it_was(path in "/([^\\s\\pC]{0,40}[^\\s\\pC])?") {
        let line = site::encode_request(&path).unwrap();
        prop_assert_eq!(site::decode_request(&line), Ok(path.as_str()));
    }

    #[test]
    fn an_avatar_header_comes_back_as_it_was(len in proptest::option::of(0..=avatar::MAX_BYTES)) {
        prop_assert_eq!(avatar::decode_header(&avatar::encode_header(len)), Ok(len));
    }

    #[test]
    fn a_site_path_never_leaves_the_site(request in "[/\\\\. a-cluLUA:~1]{0,24}|\\PC{0,24}") {
        for platform in Platform::ALL {
            let Ok(path) = SitePath::parse_for(&request, platform) else {
                continue;
            };
            prop_assert!(!path.as_str().starts_with('/') && !path.as_str().contains('\0'));
            for component in path.as_str().split('/') {
                prop_assert!(!component.is_empty() && !component.starts_with('.'));
                if platform == Platform::Windows {
                    prop_assert!(!component.contains(['\\', ':']) && !component.ends_with(['.', ' ']));
                }
            }
            prop_assert!(!path.as_str().split('/').next().unwrap().eq_ignore_ascii_case("lua"));
            // Cleaning what is clean changes nothing.
            prop_assert_eq!(SitePath::absolute(path.as_str(), platform), Ok(Some(path)));
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = site::decode_request(&bytes);
        let _ = Header::decode(&bytes);
        let _ = Request::decode(&bytes);
        let _ = data::decode_answer(&bytes);
        let _ = avatar::decode_header(&bytes);
        let _ = content::decode(&bytes);
    }
}
