//! The API's description: what the routes say of themselves, and what all of them have in common.

use super::problem::Problem;
use damso_protocol::Limits;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Info, License, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder, SecurityRequirement, Server,
};
use utoipa::{PartialSchema as _, ToSchema as _};

/// What every request may come to.
const ALWAYS: &[(&str, &str)] = &[
    ("400", "Something isn't as it has to be: bad_field, bad_json"),
    ("401", "Nobody is known by this key: unauthorized"),
    ("403", "Not allowed: forbidden, muted"),
    ("404", "There is no such thing, or none that the asker may know of: not_found"),
    ("429", "Too fast: rate_limited; Retry-After says when to try again"),
    ("503", "It can't be stored or read now: unavailable"),
];
/// What a request about one message, or one that changes something, may come to as well.
const SOMETIMES: &[(&str, &str)] = &[
    ("408", "The body took too long"),
    ("409", "Not with what is there: name_taken, nonce_reused, full"),
    ("410", "The message was deleted: gone"),
    ("413", "The body or the text is too long: too_big"),
];

/// The name of the way to say who one is.
const KEY: &str = "key";

/// What stands before the routes.
pub fn beginning() -> OpenApi {
    let mut info = Info::new("damso", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Rooms, members and messages of a damso, with the same rights, rates and repetition as \
         over its WebSocket. Errors are problem details (RFC 9457) whose `code` is damso.v1's."
            .into(),
    );
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A guest's key, which it made itself and said hello with."))
        .build();
    let components = utoipa::openapi::ComponentsBuilder::new()
        .security_scheme(KEY, SecurityScheme::Http(key))
        .schema(Problem::name(), Problem::schema())
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/api/v1")]))
        .components(Some(components))
        .security(Some([SecurityRequirement::new(KEY, [""; 0])]))
        .build()
}

/// The description as it is served.
pub fn complete(mut description: OpenApi, limits: &Limits) -> Vec<u8> {
    for item in description.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        for operation in [put, post, delete, patch].into_iter().flatten() {
            name(operation);
            refuse(operation, ALWAYS);
            refuse(operation, SOMETIMES);
        }
        if let Some(operation) = get {
            name(operation);
            refuse(operation, ALWAYS);
            refuse(operation, &SOMETIMES[2..3]);
        }
    }
    if let Some(components) = &mut description.components {
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("The text of a message."))
            .min_length(Some(1))
            .max_length(Some(limits.text_chars as usize))
            .build();
        components.schemas.insert("Text".into(), RefOr::T(Schema::Object(text)));
    }
    // Text, numbers and lists of them always have a JSON form.
    serde_json::to_vec(&description).unwrap_or_default()
}

/// Routes are named by their functions, which are told apart by what they are about.
fn name(operation: &mut Operation) {
    let about = operation.tags.iter().flatten().next();
    if let (Some(about), Some(id)) = (about, &operation.operation_id) {
        operation.operation_id = Some(format!("{about}_{id}"));
    }
}

fn refuse(operation: &mut Operation, statuses: &[(&str, &str)]) {
    for (status, why) in statuses {
        let problem =
            ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response = ResponseBuilder::new()
            .description(*why)
            .content("application/problem+json", problem)
            .build();
        operation.responses.responses.insert((*status).to_owned(), response.into());
    }
}
