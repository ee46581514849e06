with customers_listed as (
    select * from {{ ref('int_customers_listed') }}
),

-- one client, one call: the first list calls, the others are notes on it
ranked as (
    select
        *,
        row_number() over (partition by as_of_date, customer_id order by priority) as list_rank,
        collect_list(struct(priority, list_name)) over (partition by as_of_date, customer_id) as lists
    from customers_listed
    where suppressed_by is null
),

final as (
    select
        as_of_date,
        customer_id,
        list_name,
        reason_code,
        purpose,
        priority,
        list_rank = 1 as is_call,
        call_date,
        due_time,
        call_channel,
        escalation_channel,
        script_id,
        reason_text,
        case
            when list_rank = 1 and size(lists) > 1
                then concat_ws(', ', slice(array_sort(lists), 2, size(lists)).list_name)
        end as notes,
        branch_id,
        main_staff_employee_id,
        mobile_phone_token,
        mobile_phone_masked
    from ranked
)

select * from final
