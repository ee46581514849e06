{#- Everything is built in the run's candidate database, without a prefix: publication finds the tables there. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ var('candidate_schema', target.schema) }}
{%- endmacro %}
